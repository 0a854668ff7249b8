//! Which parts of a document are looked at.

/// Which parts of a document expressions look at: what else is in its text need not be kept as it is read.
///
/// It may name more than they look at, never less: over what was kept each of them has the value, and the price, that it
/// has over all of the document.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Needs {
    /// All of it.
    pub(crate) whole: bool,
    /// Members of an object.
    pub(crate) names: Vec<(Box<str>, Self)>,
    /// All of it, where it is an object.
    pub(crate) object: bool,
    /// Every element of an array.
    pub(crate) each: Option<Box<Self>>,
    /// The number under which is told where it stands.
    pub(crate) mark: Option<usize>,
    /// How many marks there are in it; at the root alone.
    pub(crate) marks: usize,
}

// === impl Needs ===

impl Needs {
    /// Nothing.
    #[must_use]
    pub const fn nothing() -> Self {
        Self { whole: false, names: Vec::new(), object: false, each: None, mark: None, marks: 0 }
    }

    /// All of the document.
    #[must_use]
    pub const fn everything() -> Self {
        Self { whole: true, names: Vec::new(), object: false, each: None, mark: None, marks: 0 }
    }

    /// The members `names` of the document.
    #[must_use]
    pub fn members(names: &[&str]) -> Self {
        let mut needs = Self::nothing();
        names.iter().for_each(|name| needs.name(name).whole = true);
        needs
    }

    /// Adds what others need, but no marks.
    pub fn add(&mut self, other: &Self) {
        self.whole |= other.whole;
        self.object |= other.object;
        other.names.iter().for_each(|(name, needs)| self.name(name).add(needs));
        other.each.iter().for_each(|needs| self.each().add(needs));
    }

    /// Whether what is kept for this has all that others need.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        let names = || other.names.iter().all(|(name, needs)| self.of(name).is_some_and(|own| own.covers(needs)));
        let each = |needs: &Self| self.each.as_deref().is_some_and(|own| own.covers(needs));
        self.whole
            || (!other.whole && (self.object || (!other.object && names())) && other.each.as_deref().is_none_or(each))
    }

    /// Whether that is nothing.
    #[must_use]
    pub const fn is_nothing(&self) -> bool {
        !self.whole && self.names.is_empty() && !self.object && self.each.is_none() && self.mark.is_none()
    }

    /// What is needed of a member of an object, however that is said.
    #[must_use]
    pub fn of_member(&self, name: &str) -> Self {
        if self.whole || self.object { Self::everything() } else { self.of(name).cloned().unwrap_or_default() }
    }

    /// What it is of an event's document: `None` for all of it.
    pub(crate) fn by_name(&self) -> Option<&[(Box<str>, Self)]> {
        (!self.whole && !self.object).then_some(&*self.names)
    }

    /// What is needed of a member.
    pub(crate) fn of(&self, name: &str) -> Option<&Self> {
        self.names.iter().find(|(known, _)| **known == *name).map(|(_, needs)| needs)
    }

    /// Where among the names this is.
    pub(crate) fn position(&self, name: &str) -> Option<usize> {
        self.names.iter().position(|(known, _)| **known == *name)
    }

    /// What is needed of a member, to be added to.
    pub(crate) fn name(&mut self, name: &str) -> &mut Self {
        let at = self.position(name).unwrap_or_else(|| {
            self.names.push((name.into(), Self::nothing()));
            self.names.len() - 1
        });
        #[expect(clippy::indexing_slicing, reason = "it was found there, or put there")]
        &mut self.names[at].1
    }

    /// What is needed of every element, to be added to.
    pub(crate) fn each(&mut self) -> &mut Self {
        self.each.get_or_insert_default()
    }
}
