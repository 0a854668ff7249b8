//! What goes out: the body of a delivery, by its transform and format.

use bytes::Bytes;
use http::HeaderMap;

use crate::config::{Problems, file};
use crate::expr::RenderError;
use crate::model::Event;

/// The compiled `transform` and `format` of a delivery.
#[derive(Debug)]
pub struct Shape(());

/// A rendered body with the header fields that describe it.
#[derive(Debug, Clone)]
pub struct Payload {
    /// `content-type`, and the `ce-` fields of CloudEvents binary mode.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Shape {
    /// Compiles a delivery's transform and format; `default_format` is its destination's.
    pub fn compile(
        _delivery: &file::Delivery,
        _default_format: Option<file::Format>,
        _problems: &mut Problems,
    ) -> Option<Self> {
        todo!()
    }

    /// Renders the body for an event.
    ///
    /// # Errors
    /// Where the event lacks what the transform requires.
    pub fn render(&self, _event: &Event) -> Result<Payload, RenderError> {
        todo!()
    }
}
