//! In which forms a provider sends its bodies, and in which of them one is.

use super::NotAnEvent;
use super::media::Media;
use crate::config::file::{BodyForm, OneOrMany};
use crate::config::{At, Problem, Problems};
use crate::model::Reading;
use crate::pipeline::Received;

/// A provider's `event.body`, compiled.
#[derive(Debug)]
pub(super) struct Forms(Vec<BodyForm>);

// === impl Forms ===

impl Forms {
    pub(super) fn compile(file: Option<&At<OneOrMany<At<BodyForm>>>>, problems: &mut Problems) -> Self {
        let Some(file) = file else { return Self(vec![BodyForm::Json]) };
        if file.as_slice().is_empty() {
            problems.push(
                Problem::error(file.place, "no form of a body is named, so no request would be taken")
                    .expected("`json`, for one"),
            );
        }
        Self(file.as_slice().iter().map(|form| form.value.clone()).collect())
    }

    /// How a body is read, by what the request says that it is.
    pub(super) fn reading(&self, received: &Received) -> Result<Reading, NotAnEvent> {
        let media = Media::of(&received.headers)?;
        let lines = self.takes(&BodyForm::Lines);
        match media {
            Media::Careless => Ok(self.of_a_form(&received.body).unwrap_or_default()),
            Media::Lines if lines => Ok(Reading::Lines),
            Media::Text if self.takes(&BodyForm::Text) => Ok(Reading::Json),
            Media::Text if lines => Ok(Reading::Lines),
            Media::Unsaid | Media::Json | Media::CloudEvent | Media::CloudEventBatch => {
                // Many who write lines call them JSON. One line is both.
                let several = lines && serde_json::from_slice::<serde::de::IgnoredAny>(&received.body).is_err();
                Ok(if several || !self.takes(&BodyForm::Json) && lines { Reading::Lines } else { Reading::Json })
            }
            Media::Text | Media::Lines | Media::Other => Err(NotAnEvent::MediaType),
        }
    }

    /// A field is looked for before the fields are taken for what they are: it is there, or it is not.
    fn of_a_form(&self, body: &[u8]) -> Option<Reading> {
        let field = self.0.iter().find_map(|form| match form {
            BodyForm::FormField(name) => Some(Reading::FormField(name.as_str().into())),
            _ => None,
        });
        let there = |reading: &Reading| reading.json(body).is_some_and(|json| !json.is_empty());
        field.filter(there).or_else(|| self.takes(&BodyForm::Form).then_some(Reading::Form))
    }

    fn takes(&self, form: &BodyForm) -> bool {
        self.0.contains(form)
    }
}
