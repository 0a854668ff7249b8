//! The JSON Schema of `routes.yaml`, for editors: each key with its comment, each value with its form.
//!
//! There is no second description of the file. `schemars` derives one from the very types that `decode` fills: their
//! comments are what an editor shows. What it derives is what serde would say, so `values` says what our own wrappers
//! are, and `decoded` turns the rest into what the decoder takes: scalars that are text wherever text is wanted, `${NAME}`
//! in place of a number, shapes that tell what is meant. The tests walk through both and find each key in both.
//!
//! It is of draft 07, and holds each type where it is used. An editor's yaml-language-server knows drafts after 07 only
//! since 1.20, and by their rules it shows a type's comment in place of the key's own beside a `$ref`. Nothing of what is
//! newer would be used.

mod decoded;
mod values;

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Value, json};

use self::decoded::Decoded;
use super::file::{ConfigFile, Provider};

/// The schema of `routes.yaml`.
#[must_use]
pub fn of_file() -> Value {
    document::<ConfigFile>("The configuration of Hookswitch, `routes.yaml`.", Decoded { interpolated: true })
}

/// The schema of a provider's own file, the form of `providers.NAME`. Nothing is interpolated in one.
#[must_use]
pub fn of_provider() -> Value {
    document::<Provider>("A provider of Hookswitch, as under `providers:`.", Decoded { interpolated: false })
}

fn document<T: JsonSchema>(description: &str, decoded: Decoded) -> Value {
    let settings = SchemaSettings::draft07().with(|settings| {
        settings.inline_subschemas = true;
        settings.transforms.clear();
    });
    let mut schema = settings.into_generator().into_root_schema_for::<T>().to_value();
    decoded.correct(&mut schema);
    // What it is comes first. A title would be the heading of whatever an editor shows.
    let first = ["$schema", "title", "description"];
    let mut document = json!({ "$schema": schema.get("$schema"), "description": description });
    if let (Some(document), Value::Object(schema)) = (document.as_object_mut(), schema) {
        document.extend(schema.into_iter().filter(|(keyword, _)| !first.contains(&keyword.as_str())));
    }
    document
}

#[cfg(test)]
mod tests;
