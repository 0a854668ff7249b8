//! Places in a body that whoever plays a sender writes to.

use serde_json::Value;

use crate::expr::Step;

/// The part at `path`.
pub(super) fn at<'v>(body: &'v Value, path: &[Step]) -> Option<&'v Value> {
    path.iter().try_fold(body, |value, step| match step {
        Step::Name(name) => value.get(name.as_str()),
        Step::Index(index) => value.get(*index),
    })
}

/// Puts text at the member `names` of the part at `path`; objects on the way are made. `None` where something else is there.
pub(super) fn put(body: &mut Value, path: &[Step], names: &[&str], text: String) -> Option<()> {
    let part = path.iter().try_fold(body, |value, step| match step {
        Step::Name(name) => value.get_mut(name.as_str()),
        Step::Index(index) => value.get_mut(*index),
    })?;
    let (last, before) = names.split_last()?;
    let holder = before.iter().try_fold(part, |value, name| {
        value.as_object_mut().map(|object| object.entry(*name).or_insert_with(|| Value::Object(serde_json::Map::new())))
    })?;
    let holder = holder.as_object_mut()?;
    // A time that was a number stays one.
    let number = holder.get(*last).is_some_and(Value::is_number).then(|| text.parse::<i64>().ok()).flatten();
    holder.insert((*last).to_owned(), number.map_or(Value::String(text), Value::from));
    Some(())
}
