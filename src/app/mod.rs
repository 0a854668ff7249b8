//! The gateway as a running thing: requests in by [`ingress`], deliveries out by [`worker`], the
//! configuration swapped by [`reload`], all of it put together by [`Assembly`].

mod assemble;
mod configuration;
mod depth;
mod destinations;
mod exchange;
mod fetch;
mod finished;
mod framing;
pub mod ingress;
mod inputs;
mod jobs;
pub mod reload;
mod rescue;
mod rotation;
pub mod server;
mod shared;
pub mod watch;
pub mod worker;

pub use assemble::{Assembly, Gateway, StartError};
pub use configuration::{
    ConfigurationError, Configured, configure, configure_case, configure_played, configure_settings, configure_text,
};
pub use destinations::{BreakerState, DestinationReport};
pub use fetch::{Fetch, FetchError, Network};
pub use inputs::Inputs;
pub use rotation::{Advice, SecretReport};
pub use shared::Shared;
