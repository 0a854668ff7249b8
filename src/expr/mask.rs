//! What of an event is shown to nobody.
//!
//! A mask is queries over an event's document. What they find is shown as `***`, whole, wherever a person looks; what is
//! delivered, filtered and counted never meets a mask. Where it cannot be told what a query finds, everything is hidden.

use std::sync::Arc;

use serde_json::Value;

use super::jsonpath::{Budget, Hop, Path, Segment, Selector, Steps};
use super::{EvalError, ExprError, Query, Step};
use crate::model::Event;

/// The queries of a route and of its provider, compiled.
#[derive(Debug, Clone, Default)]
pub struct Mask {
    /// Shared: many routes have the mask of one provider.
    queries: Vec<Arc<Query>>,
    /// Nobody knows what there is to hide: all of the payload is.
    everything: bool,
}

/// Why a path can be no part of a mask.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MaskError {
    /// It is no query.
    #[error("{0}")]
    NoQuery(ExprError),
    /// It starts at a current node, and there is none.
    #[error("this path starts with `@`, and a mask looks at the whole event")]
    Relative,
    /// No event has it: what it is to hide would be shown.
    #[error("no event has a member `{0}`, so this path hides nothing")]
    NoMember(Box<str>),
    /// An event is no list.
    #[error("an event is no list, so this path hides nothing")]
    NoList,
    /// Header names are kept in lower case.
    #[error("the names of header fields are in lower case, so this path hides nothing")]
    UpperCase(Box<str>),
}

/// What stands for what is hidden.
pub const HIDDEN: &str = "***";

/// What the gateway itself says of an event, and what it is found by. It is shown also where nothing of the payload is.
const SAID_BY_US: [&str; 6] = ["id", "type", "time", "provider", "route", "datacontenttype"];

// === impl Mask ===

impl Mask {
    /// Hides all of the payload.
    #[must_use]
    pub const fn everything() -> Self {
        Self { queries: Vec::new(), everything: true }
    }

    /// Whether it hides nothing.
    #[must_use]
    pub const fn is_nothing(&self) -> bool {
        self.queries.is_empty() && !self.everything
    }

    /// Whether it hides all of the payload, because nobody knows what there is to hide.
    #[must_use]
    pub const fn is_everything(&self) -> bool {
        self.everything
    }

    /// Adds a path.
    ///
    /// # Errors
    /// Where it is no query over an event, or one that never finds anything.
    pub fn add(&mut self, path: &str) -> Result<(), MaskError> {
        let query = Query::parse(path).map_err(MaskError::NoQuery)?;
        if query.starts_at_current() {
            return Err(MaskError::Relative);
        }
        finds_something(query.path())?;
        self.push(Arc::new(query));
        Ok(())
    }

    /// Adds what another mask hides.
    pub fn extend(&mut self, other: &Self) {
        self.everything |= other.everything;
        other.queries.iter().for_each(|query| self.push(Arc::clone(query)));
    }

    /// Whether it hides all that another one does, by the same paths.
    #[must_use]
    pub fn includes(&self, other: &Self) -> bool {
        self.everything || (!other.everything && other.queries.iter().all(|query| self.has(query)))
    }

    /// Replaces what the queries find in an event's document. All of it, where that is too much to look through.
    pub fn apply(&self, document: &mut Value) {
        if self.is_nothing() {
            return;
        }
        match self.find(document) {
            Ok(ways) if !self.everything => {
                for way in ways {
                    // What is in something that is hidden is gone with it.
                    let _ = replace(document, &way);
                }
            }
            _ => *document = Value::from(HIDDEN),
        }
    }

    /// An event's document as it is shown. What another member says over again is hidden with what it repeats: header
    /// fields that are attributes (the binary mode of CloudEvents over HTTP, section 3.1.3), and a source that is the path,
    /// with one of its parameters.
    #[must_use]
    pub fn document(&self, event: &Event) -> Value {
        let mut document = event.document().clone();
        if self.is_nothing() {
            return document;
        }
        self.apply(&mut document);
        if let Some(Value::Object(headers)) = document.get_mut("headers") {
            for (name, value) in headers {
                if name.strip_prefix("ce-").is_some_and(|attribute| self.hides(attribute)) {
                    *value = Value::from(HIDDEN);
                }
            }
        }
        let (path, source) = (&event.request().path, &event.attributes().source);
        if path == source
            && hides_part(document.get("path"))
            && let Some(source) = document.get_mut("source")
        {
            *source = Value::from(HIDDEN);
        }
        document
    }

    /// Whether it may hide an attribute of an event, of which no more is known than that.
    #[must_use]
    pub fn hides(&self, attribute: &str) -> bool {
        if self.everything {
            return !SAID_BY_US.contains(&attribute);
        }
        self.queries.iter().any(|query| may_find(query.path(), &[Hop::Name(attribute.into())]))
    }

    /// Whether it may hide what a query finds, or what that is in: whatever the event.
    #[must_use]
    pub fn covers(&self, query: &Query) -> bool {
        match &query.path().steps {
            Steps::Singular(way) => self.everything || self.queries.iter().any(|mask| may_find(mask.path(), way)),
            Steps::Many(_) => !self.is_nothing(),
        }
    }

    fn has(&self, query: &Query) -> bool {
        self.queries.iter().any(|known| known.as_str() == query.as_str())
    }

    fn push(&mut self, query: Arc<Query>) {
        if !self.has(&query) {
            self.queries.push(query);
        }
    }

    /// All of it before anything is replaced: what one query looks at another may hide.
    fn find(&self, document: &Value) -> Result<Vec<Vec<Step>>, EvalError> {
        let budget = &mut Budget::for_rendering();
        let mut ways = Vec::new();
        for query in &self.queries {
            ways.extend(query.locate_within(document, budget)?.into_iter().map(|found| found.path));
        }
        Ok(ways)
    }
}

/// Whether the path's parameters, or one of them, are hidden.
#[must_use]
pub fn hides_part(parameters: Option<&Value>) -> bool {
    match parameters {
        Some(Value::Object(parameters)) => parameters.values().any(|value| value == HIDDEN),
        _ => true,
    }
}

fn replace(document: &mut Value, way: &[Step]) -> Option<()> {
    let found = way.iter().try_fold(document, |node, step| match (node, step) {
        (Value::Object(members), Step::Name(name)) => members.get_mut(name),
        (Value::Array(elements), Step::Index(index)) => elements.get_mut(*index),
        _ => None,
    })?;
    *found = Value::from(HIDDEN);
    Some(())
}

/// Whether a query may find what is at the end of this way, or something on it. Where that depends on the event, it may.
fn may_find(path: &Path, way: &[Hop]) -> bool {
    match &path.steps {
        Steps::Singular(hops) => hops.len() <= way.len() && hops.iter().zip(way).all(|(hop, step)| may_be(hop, step)),
        // Each segment leads one step down at least.
        Steps::Many(segments) => segments.len() <= way.len() && may_lead_along(segments, way),
    }
}

fn may_lead_along(segments: &[Segment], way: &[Hop]) -> bool {
    let Some((first, rest)) = segments.split_first() else { return true };
    match (first, way.split_first()) {
        (Segment::Child(selectors), Some((step, further))) => {
            may_select(selectors, step) && may_lead_along(rest, further)
        }
        // Where it leads from there is not looked at: too much is hidden rather than too little.
        (Segment::Descendant(selectors), _) => way.iter().any(|step| may_select(selectors, step)),
        (Segment::Child(_), None) => false,
    }
}

fn may_select(selectors: &[Selector], step: &Hop) -> bool {
    selectors.iter().any(|selector| match selector {
        Selector::Hop(hop) => may_be(hop, step),
        Selector::Wildcard | Selector::Filter(_) => true,
        Selector::Slice { .. } => matches!(step, Hop::Index(_)),
    })
}

/// Whether two steps may lead to the same: places counted from the start and from the end may.
fn may_be(one: &Hop, other: &Hop) -> bool {
    match (one, other) {
        (Hop::Name(one), Hop::Name(other)) => one == other,
        (Hop::Index(one), Hop::Index(other)) => one == other || (*one < 0) != (*other < 0),
        _ => false,
    }
}

/// Looks at the first step, which is into what every event has, and at the names of header fields.
fn finds_something(path: &Path) -> Result<(), MaskError> {
    let mut first = Vec::new();
    let mut second = Vec::new();
    match &path.steps {
        Steps::Singular(hops) => {
            first.extend(hops.first());
            second.extend(hops.get(1));
        }
        Steps::Many(segments) => {
            let Some(Segment::Child(selectors)) = segments.first() else { return Ok(()) };
            if selectors.iter().any(|selector| matches!(selector, Selector::Slice { .. })) {
                return Err(MaskError::NoList);
            }
            first.extend(hops(selectors));
            if let Some(Segment::Child(selectors)) = segments.get(1) {
                second.extend(hops(selectors));
            }
        }
    }
    for hop in &first {
        match hop {
            Hop::Index(_) => return Err(MaskError::NoList),
            Hop::Name(name) if !Event::MEMBERS.contains(&&**name) => return Err(MaskError::NoMember(name.clone())),
            Hop::Name(_) => {}
        }
    }
    if matches!(first.as_slice(), [Hop::Name(name)] if **name == *"headers")
        && let Some(name) = second.into_iter().filter_map(Hop::name).find(|name| *name != name.to_ascii_lowercase())
    {
        return Err(MaskError::UpperCase(name.into()));
    }
    Ok(())
}

fn hops(selectors: &[Selector]) -> impl Iterator<Item = &Hop> {
    selectors.iter().filter_map(|selector| match selector {
        Selector::Hop(hop) => Some(hop),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::expr::arbitrary::{json_value, small_query, text};
    use crate::model::{Attributes, Headers, Request, sample};

    fn mask(paths: &[&str]) -> Mask {
        let mut mask = Mask::default();
        for path in paths {
            mask.add(path).unwrap_or_else(|error| panic!("{path}: {error}"));
        }
        mask
    }

    fn masked(paths: &[&str], document: &Value) -> Value {
        let mut document = document.clone();
        mask(paths).apply(&mut document);
        document
    }

    #[test]
    fn what_is_found_is_replaced_whole_and_nothing_else() {
        let document = json!({
            "subject": "a@b",
            "data": { "email": "a@b", "n": 1, "addresses": [{ "street": "x", "city": { "name": "y" } }, { "city": null }] },
        });
        for (paths, pointer) in [
            (&["$.data.email"][..], vec!["/data/email"]),
            (&["$.data.n"], vec!["/data/n"]),
            (&["$.data.addresses[*].street"], vec!["/data/addresses/0/street"]),
            (&["$.data.addresses[*].city"], vec!["/data/addresses/0/city", "/data/addresses/1/city"]),
            (&["$.data.addresses"], vec!["/data/addresses"]),
            (&["$.data.nothing", "$.headers"], vec![]),
            (&["$.subject", "$.data.addresses[0]", "$..street"], vec!["/subject", "/data/addresses/0"]),
        ] {
            let mut expected = document.clone();
            for place in pointer {
                *expected.pointer_mut(place).unwrap() = json!(HIDDEN);
            }
            assert_eq!(masked(paths, &document), expected, "{paths:?}");
        }
        assert_eq!(masked(&["$"], &document), json!(HIDDEN));
    }

    #[test]
    fn what_one_path_looks_at_another_may_hide() {
        let document = json!({ "data": { "private": true, "phone": "1" } });
        let paths = ["$.data.private", "$.data[?$.data.private == true && @ == '1']"];
        assert_eq!(masked(&paths, &document), json!({ "data": { "private": HIDDEN, "phone": HIDDEN } }));
    }

    #[test]
    fn where_it_cannot_be_told_what_is_found_all_is_hidden() {
        let wide = Value::from(vec![1; 2000]);
        let document = json!({ "data": { "a": wide, "b": wide } });
        assert_eq!(masked(&["$.data.a[?$.data.b[?@ == 2]]"], &document), json!(HIDDEN));
    }

    #[test]
    fn a_path_that_hides_nothing_is_refused() {
        let refused = |path: &str| Mask::default().add(path).expect_err(path);
        for path in ["", "data.email", "$.data[", "$.data[?@.a == $.b[*]]"] {
            assert!(matches!(refused(path), MaskError::NoQuery(_)), "{path}");
        }
        assert_eq!(refused("@.data"), MaskError::Relative);
        for path in ["$.dta", "$.dta[*]", "$['data','dta'].x", "$.dta..x"] {
            assert_eq!(refused(path), MaskError::NoMember("dta".into()), "{path}");
        }
        for path in ["$[0]", "$[0:]", "$[0:].x", "$['data',1]"] {
            assert_eq!(refused(path), MaskError::NoList, "{path}");
        }
        for path in ["$.headers['X-Y']", "$.headers['a','X-Y']", "$['headers']['X-Y'][0]"] {
            assert_eq!(refused(path), MaskError::UpperCase("X-Y".into()), "{path}");
        }
        let all = ["$", "$.*", "$..email", "$[?@.a]", "$['data','headers'].X", "$.headers['x-y']", "$.data['X-Y']"];
        mask(&all);
    }

    #[test]
    fn an_attribute_is_hidden_where_a_path_may_find_it() {
        for path in ["$.subject", "$['id','subject']", "$.*", "$..*", "$..subject", "$[?@ == 'x']", "$"] {
            assert!(mask(&[path]).hides("subject"), "{path}");
        }
        for path in ["$.id", "$.data.subject", "$..id", "$.*.subject", "$..*.subject", "$.data..*", "$['data','id']"] {
            assert!(!mask(&[path]).hides("subject"), "{path}");
        }
        assert!(!Mask::default().hides("subject"));
        assert!(Mask::everything().hides("subject") && Mask::everything().hides("source"));
        assert!(!Mask::everything().hides("id"));
    }

    #[test]
    fn what_a_path_may_find_or_is_in_is_covered() {
        let covers = |path: &str, other: &str| mask(&[path]).covers(&Query::parse(other).unwrap());
        for path in
            ["$.data.a[0].b", "$.data.a", "$.data", "$.data.a[-1]", "$.data.a[*].b", "$..b", "$.data.a[1:]", "$"]
        {
            assert!(covers(path, "$.data.a[0].b"), "{path}");
        }
        for path in ["$.data.a[1]", "$.data.b", "$.subject", "$..c", "$.data.a[0].b.c", "$.data.a[*].c"] {
            assert!(!covers(path, "$.data.a[0].b"), "{path}");
        }
    }

    #[test]
    fn a_mask_grows_by_what_it_lacks() {
        let (one, other) = (mask(&["$.data.a"]), mask(&["$.data.b", "$.data.a"]));
        let mut both = one.clone();
        both.extend(&other);
        assert!(both.includes(&one) && both.includes(&other) && !one.includes(&other));
        assert_eq!(both.queries.len(), 2);
        both.extend(&Mask::everything());
        assert!(both.is_everything() && both.includes(&Mask::everything()) && !one.includes(&both));
    }

    #[test]
    fn what_another_member_repeats_is_hidden_with_it() {
        let attributes = |source: &str| Attributes { source: source.into(), ..sample::attributes("r", "t") };
        let request = Arc::new(Request {
            path: "/in/mark".into(),
            path_params: vec![("who".into(), "mark".into())],
            headers: Headers::from_iter([("ce-subject", "mark"), ("ce-type", "t"), ("x-who", "mark")]),
            ..sample::request("1")
        });
        let shown = |source: &str, paths: &[&str]| {
            mask(paths).document(&Event::new(attributes(source), Arc::clone(&request), 0..1, json!(1)))
        };
        let document = shown("/in/mark", &["$.path.who", "$.subject"]);
        assert_eq!((&document["source"], &document["path"]["who"]), (&json!(HIDDEN), &json!(HIDDEN)));
        assert_eq!(document["headers"], json!({ "ce-subject": HIDDEN, "ce-type": "t", "x-who": "mark" }));
        assert_eq!(shown("urn:elsewhere", &["$.path.who"])["source"], "urn:elsewhere");
        assert_eq!(shown("/in/mark", &["$.data"])["source"], "/in/mark");
        assert_eq!(shown("/in/mark", &[])["data"], 1);
    }

    #[test]
    fn every_member_of_a_document_is_known() {
        let attributes =
            Attributes { subject: Some("s".into()), time: Some("t".into()), ..sample::attributes("r", "t") };
        let event = Event::new(attributes, sample::request("1").into(), 0..1, json!(1));
        let mut members: Vec<_> = event.document().as_object().unwrap().keys().map(String::as_str).collect();
        let mut known = Event::MEMBERS;
        members.sort_unstable();
        known.sort_unstable();
        assert_eq!(members, known);
    }

    /// The event of which this is the data, by queries over that.
    fn of_data(data: Value, queries: &[String]) -> (Value, Mask) {
        let paths: Vec<_> = queries.iter().map(|query| query.replacen('$', "$.data", 1)).collect();
        (json!({ "data": data }), mask(&paths.iter().map(String::as_str).collect::<Vec<_>>()))
    }

    /// Each value with the way to it, whole.
    fn nodes<'v>(value: &'v Value, way: &mut Vec<Step>, act: &mut impl FnMut(&[Step], &'v Value)) {
        act(way, value);
        let mut child = |step, value| {
            way.push(step);
            nodes(value, way, act);
            way.pop();
        };
        match value {
            Value::Array(elements) => elements.iter().enumerate().for_each(|(at, value)| child(Step::Index(at), value)),
            Value::Object(members) => {
                members.iter().for_each(|(name, value)| child(Step::Name(name.clone()), value));
            }
            _ => {}
        }
    }

    fn at<'v>(value: &'v Value, way: &[Step]) -> Option<&'v Value> {
        way.iter().try_fold(value, |node, step| match step {
            Step::Name(name) => node.get(name),
            Step::Index(index) => node.get(index),
        })
    }

    proptest! {
        #[test]
        fn no_text_makes_a_mask_panic(text in text()) {
            let _ = Mask::default().add(&text);
        }

        #[test]
        fn whatever_is_found_is_hidden_and_nothing_else_is_changed(
            data in json_value(), queries in prop::collection::vec(small_query(), 1..4),
        ) {
            let (before, mask) = of_data(data, &queries);
            let mut after = before.clone();
            mask.apply(&mut after);
            let found = mask.find(&before).unwrap();
            for way in &found {
                let hidden = (0..=way.len()).find_map(|end| at(&after, &way[..end]).filter(|value| *value == HIDDEN));
                prop_assert!(hidden.is_some(), "{:?} is shown in {}", way, after);
            }
            let inside = |way: &[Step]| found.iter().any(|found| way.starts_with(found));
            let mut wrong = None;
            nodes(&before, &mut Vec::new(), &mut |way, value| {
                if inside(way) || !found.iter().all(|found| !found.starts_with(way)) {
                    return;
                }
                if at(&after, way) != Some(value) {
                    wrong = Some(format!("{way:?} is no longer {value} in {after}"));
                }
            });
            prop_assert_eq!(wrong, None);
            // Nothing is added, and no order is changed.
            let mut shape = Vec::new();
            nodes(&before, &mut Vec::new(), &mut |way, _| {
                if !found.iter().any(|found| way.starts_with(found) && way.len() > found.len()) {
                    shape.push(way.to_vec());
                }
            });
            let mut now = Vec::new();
            nodes(&after, &mut Vec::new(), &mut |way, _| now.push(way.to_vec()));
            prop_assert_eq!(now, shape);
        }

        #[test]
        fn masking_twice_hides_no_more(data in json_value(), paths in prop::collection::vec("\\$\\.data(\\.[abc]){0,3}", 1..4)) {
            let mask = mask(&paths.iter().map(String::as_str).collect::<Vec<_>>());
            let mut once = json!({ "data": data });
            mask.apply(&mut once);
            let mut twice = once.clone();
            mask.apply(&mut twice);
            prop_assert_eq!(once, twice);
        }

        #[test]
        fn what_is_hidden_is_covered(data in json_value(), query in small_query(), way in "\\$\\.data(\\.[abc]|\\[(-1|0|1)\\]){0,4}") {
            let (mut document, mask) = of_data(data, &[query]);
            let way = Query::parse(&way).unwrap();
            let Some(place) = way.locate(&document).unwrap().pop().map(|found| found.path) else { return Ok(()) };
            mask.apply(&mut document);
            let hidden = (0..=place.len()).any(|end| at(&document, &place[..end]).is_some_and(|value| value == HIDDEN));
            prop_assert!(!hidden || mask.covers(&way));
        }
    }
}
