//! What aliases stand for, and how much of it there may be.

use std::collections::HashMap;

use super::{Content, Node};
use crate::config::Place;

/// The most that a tree may weigh, in bytes. An alias costs little in the file and much in the tree:
/// this is what stops a few lines from filling the memory.
const MAX_WEIGHT: usize = 96 << 20;

/// What a node weighs apart from its text. It also bounds their number, to about 780,000.
const NODE_WEIGHT: usize = 128;

/// How deep a tree may be. Decoding and dropping recurse.
pub(super) const MAX_DEPTH: usize = 64;

/// The nodes that aliases can stand for, and what is left to spend on all nodes.
#[derive(Debug)]
pub(super) struct Anchors {
    nodes: HashMap<usize, Anchored>,
    left: usize,
}

/// Why there can be no further node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// It would be too many, or too large in all.
    TooMuch,
    /// It would be too deep.
    TooDeep,
    /// The alias stands within what it stands for.
    Circular,
}

#[derive(Debug)]
struct Anchored {
    node: Node,
    weight: usize,
    height: usize,
}

// === impl Anchors ===

impl Anchors {
    pub(super) fn new() -> Self {
        Self { nodes: HashMap::new(), left: MAX_WEIGHT }
    }

    /// Pays for a node with that much text.
    pub(super) fn pay(&mut self, text: usize) -> Result<(), Refusal> {
        self.spend(NODE_WEIGHT.saturating_add(text))
    }

    /// Keeps `node` for the aliases of `anchor`; 0 is none.
    pub(super) fn define(&mut self, anchor: usize, node: &Node) -> Result<(), Refusal> {
        if anchor == 0 {
            return Ok(());
        }
        let (weight, height) = measure(node);
        self.spend(weight)?;
        self.nodes.insert(anchor, Anchored { node: node.clone(), weight, height });
        Ok(())
    }

    /// What an alias of `anchor` stands for, `depth` levels below the root. The copy says that it stands
    /// where the alias does; the place of the original comes with it.
    pub(super) fn expand(&mut self, anchor: usize, depth: usize, place: Place) -> Result<(Node, Place), Refusal> {
        let Some(Anchored { weight, height, .. }) = self.nodes.get(&anchor) else { return Err(Refusal::Circular) };
        if depth + height > MAX_DEPTH {
            return Err(Refusal::TooDeep);
        }
        self.spend(*weight)?;
        let Some(Anchored { node, .. }) = self.nodes.get(&anchor) else { return Err(Refusal::Circular) };
        Ok((Node { place, ..node.clone() }, node.place))
    }

    fn spend(&mut self, weight: usize) -> Result<(), Refusal> {
        self.left = self.left.checked_sub(weight).ok_or(Refusal::TooMuch)?;
        Ok(())
    }
}

/// The weight and the height of what is under `node`, itself included.
fn measure(node: &Node) -> (usize, usize) {
    let (weight, height) = match &node.content {
        Content::Scalar(scalar) => (scalar.text.len(), 0),
        Content::Sequence(items) => sum(items.iter().map(measure)),
        Content::Mapping(entries) => sum(entries.iter().map(|entry| {
            let (key, (value, height)) = (measure(&entry.key).0, measure(&entry.value));
            (key + value, height)
        })),
    };
    (weight + NODE_WEIGHT, height + 1)
}

fn sum(parts: impl Iterator<Item = (usize, usize)>) -> (usize, usize) {
    parts.fold((0, 0), |(weight, height), (w, h)| (weight + w, height.max(h)))
}
