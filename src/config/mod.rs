//! The configuration file: what the YAML says, and every problem with it.
//!
//! Reading goes in steps, each its own file: [`load`] finds and bounds the text, `tree` parses it to
//! nodes that know their place, `interpolate` fills in `${...}`, `decode` turns nodes into the types
//! of [`mod@file`], collecting every [`Problem`]. What runs is another type, `routing::RouteTable`: the
//! two never mix. [`render`] shows problems to people and programs, and `secrets` says which parts of the
//! text it must not show. [`schema`] says of the same types, for editors, what decodes.

mod decode;
pub mod file;
mod interpolate;
pub mod load;
mod parts;
mod place;
mod problem;
pub mod render;
pub mod schema;
mod secrets;
mod source;
mod surroundings;
mod tree;
mod units;

pub use parts::{Parts, RouteParts};
pub use place::{At, Named, Place, Tree};
pub use problem::{Problem, Problems, Severity, nearest};
pub use secrets::names_secret;
pub use source::Source;
pub use units::{
    ByteSize, ParseByteSizeError, ParseOffError, ParsePercentError, ParseRateError, ParseSpanError, Percent, Rate, Span,
};
