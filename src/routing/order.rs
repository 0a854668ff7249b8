//! `order_by:` and `on_dead_letter:` of a delivery.

use crate::config::{Problem, Problems, file};
use crate::pipeline::filter::OrderBy;

/// What a delivery's events are to be in order with.
pub(super) fn order_by(entry: &file::Delivery, problems: &mut Problems) -> Option<OrderBy> {
    if let Some(given) = &entry.on_dead_letter
        && given.value == file::OnDeadLetter::Park
        && entry.order_by.is_none()
    {
        problems.push(
            Problem::error(given.place, "there is no order to park: this delivery has no `order_by`")
                .expected("`order_by:` beside it, a path such as $.data.customer.id"),
        );
    }
    entry.order_by.as_ref().and_then(|path| OrderBy::compile(path, problems))
}
