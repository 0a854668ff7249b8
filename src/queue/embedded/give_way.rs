//! Giving way to whoever acknowledges.

/// So many of what is recent are stored at a stretch.
const AT_A_STRETCH: usize = 16;

/// Whoever acknowledges goes first, where there are more threads than cores: thousands of rows at a stretch would be some
/// milliseconds in which nobody is answered. `place` counts them.
pub(super) fn give_way(place: usize) {
    if place.is_multiple_of(AT_A_STRETCH) {
        std::thread::yield_now();
    }
}
