//! What the values are that have a form of their own.

use std::borrow::Cow;
use std::fmt::Display;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::decoded::of_types;
use crate::config::file::{BodyForm, Off, OneOrMany, Window};
use crate::config::{
    At, ByteSize, Named, ParseByteSizeError, ParsePercentError, ParseRateError, ParseSpanError, Percent, Rate, Span,
    Tree,
};
use crate::model::Secret;

/// Durations: from the longest unit to the shortest, each at most once.
pub(super) const SPAN: &str = "^([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?$";

pub(super) const SIZE: &str = "^[0-9]+([KMG]i?)?B$";

pub(super) const RATE: &str = "^[0-9]+/[smh]$";

pub(super) const PERCENT: &str = "^[0-9]+%$";

const BODY_FORM: &str = "^(json|text|form|form:.+|lines)$";

/// A text that reads like this.
fn like(pattern: &str, otherwise: &dyn Display) -> Schema {
    // `errorMessage` is what yaml-language-server says in place of the pattern.
    json_schema!({ "type": "string", "minLength": 1, "pattern": pattern, "errorMessage": otherwise.to_string() })
}

/// `off`, which an editor that knows YAML 1.1 may write as `false`.
fn off() -> Schema {
    json_schema!({ "enum": ["off", false] })
}

fn off_or(other: Schema) -> Schema {
    json_schema!({ "anyOf": [off(), other] })
}

/// All that JSON can say. Where null may stand is up to who asks.
fn any_shape() -> Schema {
    json_schema!({ "anyOf": [of_types(&["object", "array", "number", "boolean"], "string")] })
}

macro_rules! values {
    ($($type:ty => $schema:expr,)+) => {
        $(impl JsonSchema for $type {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                stringify!($type).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                $schema
            }
        })+
    };
}

values! {
    Tree => any_shape(),
    Secret => json_schema!({ "type": "string", "writeOnly": true }),
    Span => like(SPAN, &ParseSpanError),
    ByteSize => like(SIZE, &ParseByteSizeError),
    Rate => like(RATE, &ParseRateError),
    Percent => like(PERCENT, &ParsePercentError),
    Off => off(),
    BodyForm => like(BODY_FORM, &"`json`, `text`, `form`, `form:NAME` or `lines`"),
    Window => off_or(like(SPAN, &ParseSpanError)),
}

// === impl At ===

/// Its place is nothing that is written.
impl<T: JsonSchema> JsonSchema for At<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    // Another than that of the value, which would else seem to hold itself.
    fn schema_id() -> Cow<'static, str> {
        format!("At<{}>", T::schema_id()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        generator.subschema_for::<T>()
    }
}

// === impl Named ===

impl<T: JsonSchema> JsonSchema for Named<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("Named_{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let value = generator.subschema_for::<T>();
        json_schema!({ "type": "object", "additionalProperties": value })
    }
}

// === impl OneOrMany ===

impl<T: JsonSchema> JsonSchema for OneOrMany<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("OneOrMany_{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut one = generator.subschema_for::<T>();
        // The key says what it is.
        one.remove("description");
        json_schema!({ "anyOf": [one, { "type": "array", "items": one }] })
    }
}
