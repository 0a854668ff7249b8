//! The fourth stage: which deliveries want an event, and in order with what.

mod explain;
mod order;

use regex::RegexSet;

pub use explain::{Decision, Why, Wish};
pub use order::OrderBy;

use crate::config::{At, Place, Problem, Problems, file};
use crate::expr::{EvalError, JsonRef, Needs, Predicate, view};
use crate::model::{Event, Lane};
use crate::queue::NewDelivery;

/// A compiled filter.
#[derive(Debug)]
pub struct Filter {
    node: Node,
    needs: Needs,
    /// Whether its node joins `types` and the filter that they stand beside.
    beside: bool,
}

/// The compiled filters of a route: which of its lanes want an event.
#[derive(Debug)]
pub struct Wants {
    /// What the route itself wants; everything where it does not say.
    route: Option<Filter>,
    lanes: Vec<LaneWants>,
    /// What all of them look at.
    needs: Needs,
}

/// What a lane wants of what its route does.
#[derive(Debug)]
pub struct LaneWants {
    /// The lane.
    pub lane: Lane,
    /// Which events; all where it does not say.
    pub filter: Option<Filter>,
    /// What they are to be in order with; nothing where it does not say.
    pub order_by: Option<OrderBy>,
}

#[derive(Debug)]
enum Node {
    Expression(Predicate),
    Types(Globs),
    /// The entries of a block, all of which must hold.
    Block(Vec<Node>),
    All(Vec<Node>),
    Any(Vec<Node>),
    None(Vec<Node>),
}

/// Types as they are written, and as they are compared.
#[derive(Debug)]
struct Globs {
    set: RegexSet,
    written: Box<[Box<str>]>,
}

// === impl Filter ===

impl Filter {
    /// Compiles a filter, and with it the `types` that may stand beside it. `None` where there is neither: everything
    /// is wanted then, and also where they have problems, which keep the file from running.
    pub fn compile(
        filter: Option<&At<file::Filter>>,
        types: Option<&At<Vec<At<String>>>>,
        problems: &mut Problems,
    ) -> Option<Self> {
        let mut parts: Vec<Node> = Vec::new();
        parts.extend(types.and_then(|globs| types_node(globs, problems)));
        parts.extend(filter.and_then(|filter| node(filter, problems)));
        let beside = parts.len() > 1;
        let node = if beside { Some(Node::Block(parts)) } else { parts.pop() };
        node.map(|node| Self::new(node, beside))
    }

    /// Whether it lets the event through.
    ///
    /// # Errors
    /// Where an expression visits too many nodes of the event.
    pub fn matches(&self, event: &Event) -> Result<bool, EvalError> {
        self.lets_through(event, (&view(event, &self.needs)).into())
    }

    fn new(node: Node, beside: bool) -> Self {
        let mut needs = Needs::nothing();
        node.add_needs(&mut needs);
        Self { node, needs, beside }
    }

    /// The same over a view of the event that has what it needs.
    fn lets_through(&self, event: &Event, document: JsonRef<'_>) -> Result<bool, EvalError> {
        self.node.matches(event, document)
    }
}

// === impl Wants ===

impl Wants {
    /// The filters of a route and of its lanes.
    #[must_use]
    pub fn new(route: Option<Filter>, lanes: Vec<LaneWants>) -> Self {
        let mut needs = Needs::nothing();
        for filter in route.iter().chain(lanes.iter().filter_map(|lane| lane.filter.as_ref())) {
            filter.node.add_needs(&mut needs);
        }
        lanes.iter().filter_map(|lane| lane.order_by.as_ref()).for_each(|order_by| order_by.add_needs(&mut needs));
        Self { route, lanes, needs }
    }

    /// What all of them look at in an event's document.
    #[must_use]
    pub const fn needs(&self) -> &Needs {
        &self.needs
    }

    /// The deliveries that the event causes: one for each lane that wants it.
    ///
    /// # Errors
    /// Where an expression visits too many nodes of the event.
    pub fn deliveries(&self, event: &Event) -> Result<Vec<NewDelivery>, EvalError> {
        let view = view(event, &self.needs);
        let document = JsonRef::from(&view);
        let wanted =
            |filter: &Option<Filter>| filter.as_ref().map_or(Ok(true), |filter| filter.lets_through(event, document));
        if !wanted(&self.route)? {
            return Ok(Vec::new());
        }
        let mut deliveries = Vec::with_capacity(self.lanes.len());
        for lane in &self.lanes {
            if wanted(&lane.filter)? {
                deliveries.push(lane.delivery(document)?);
            }
        }
        Ok(deliveries)
    }

    /// The event's delivery to one of the lanes, whether that wants it or not. `None` where it is none of them.
    ///
    /// # Errors
    /// Where the order key's path visits too many nodes of the event.
    pub fn delivery(&self, event: &Event, lane: &Lane) -> Result<Option<NewDelivery>, EvalError> {
        let wanted = self.lanes.iter().find(|wants| wants.lane == *lane);
        wanted.map(|wants| wants.delivery((&view(event, &self.needs)).into())).transpose()
    }
}

// === impl LaneWants ===

impl LaneWants {
    fn delivery(&self, document: JsonRef<'_>) -> Result<NewDelivery, EvalError> {
        let order_key = self.order_by.as_ref().map(|order_by| order_by.key(document)).transpose()?.flatten();
        Ok(NewDelivery { lane: self.lane.clone(), order_key })
    }
}

// === impl Node ===

impl Node {
    fn add_needs(&self, needs: &mut Needs) {
        match self {
            Self::Expression(predicate) => predicate.add_needs(needs),
            Self::Types(_) => {}
            Self::Block(nodes) | Self::All(nodes) | Self::Any(nodes) | Self::None(nodes) => {
                nodes.iter().for_each(|node| node.add_needs(needs));
            }
        }
    }

    fn matches(&self, event: &Event, document: JsonRef<'_>) -> Result<bool, EvalError> {
        match self {
            Self::Expression(predicate) => predicate.holds(document),
            Self::Types(globs) => Ok(globs.set.is_match(event.kind())),
            Self::Block(nodes) | Self::All(nodes) => {
                nodes.iter().try_fold(true, |all, node| Ok(all && node.matches(event, document)?))
            }
            Self::Any(nodes) => any(nodes, event, document),
            Self::None(nodes) => any(nodes, event, document).map(|any| !any),
        }
    }
}

fn any(nodes: &[Node], event: &Event, document: JsonRef<'_>) -> Result<bool, EvalError> {
    nodes.iter().try_fold(false, |any, node| Ok(any || node.matches(event, document)?))
}

fn node(filter: &At<file::Filter>, problems: &mut Problems) -> Option<Node> {
    match &filter.value {
        file::Filter::Expression(text) => expression(text, problems),
        file::Filter::Block(block) => self::block(block, filter.place, problems),
    }
}

fn expression(text: &At<String>, problems: &mut Problems) -> Option<Node> {
    let predicate = match Predicate::parse(text) {
        Ok(predicate) => predicate,
        Err(error) => {
            problems.push(Problem::expression(text.place, "the filter", &error.message, error.expected));
            return None;
        }
    };
    if let Some(why) = predicate.never_holds() {
        problems.push(Problem::error(text.place, format!("this filter lets no event through: {why}")));
    }
    Some(Node::Expression(predicate))
}

fn block(block: &file::FilterBlock, place: Place, problems: &mut Problems) -> Option<Node> {
    let mut parts = Vec::new();
    parts.extend(block.types.as_ref().and_then(|globs| types_node(globs, problems)));
    let mut list = |key: &str, filters: &Option<Vec<At<file::Filter>>>, make: fn(Vec<Node>) -> Node| {
        let Some(filters) = filters else { return };
        if filters.is_empty() {
            problems.push(Problem::error(place, format!("`{key}` is empty")).expected("a list of filters"));
        }
        parts.push(make(filters.iter().filter_map(|filter| node(filter, problems)).collect()));
    };
    list("all", &block.all, Node::All);
    list("any", &block.any, Node::Any);
    list("not", &block.not, Node::None);
    if parts.is_empty() {
        problems.push(
            Problem::error(place, "this filter says nothing")
                .expected("an expression, or `types`, `all`, `any` or `not`"),
        );
    }
    Some(Node::Block(parts))
}

fn types_node(globs: &At<Vec<At<String>>>, problems: &mut Problems) -> Option<Node> {
    if globs.is_empty() {
        problems.push(
            Problem::error(globs.place, "`types` is empty: no event would be wanted")
                .expected("types such as order.created, or order.*"),
        );
    }
    for glob in globs.iter().filter(|glob| glob.is_empty()) {
        problems.push(
            Problem::error(glob.place, "an event's type is never empty")
                .expected("a type such as order.created, or order.*"),
        );
    }
    let patterns = globs.iter().map(|glob| format!("^(?s:{})$", regex::escape(glob).replace(r"\*", ".*")));
    match RegexSet::new(patterns) {
        Ok(set) => {
            Some(Node::Types(Globs { set, written: globs.iter().map(|glob| glob.value.as_str().into()).collect() }))
        }
        Err(_) => {
            problems.push(Problem::error(globs.place, "these types are too many or too long"));
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::config::load::{self, FixedSurroundings};
    use crate::model::sample;

    fn event(kind: &str, data: Value) -> Event {
        Event::new(sample::attributes("r", kind), sample::request("").into(), 0..0, data)
    }

    /// Compiles what stands in a `deliver` entry beside `to`.
    fn compile(entry: &str) -> (Option<Filter>, Vec<Problem>) {
        let text = format!("routes: [{{ name: r, path: /r, auth: none, deliver: [{{ to: d, {entry} }}] }}]");
        let file = load::parse("routes.yaml", &text, &FixedSurroundings::new()).file.unwrap();
        let entry = &file.routes[0].deliver[0];
        let mut problems = Problems::new();
        let filter = Filter::compile(entry.filter.as_ref(), entry.types.as_ref(), &mut problems);
        (filter, problems.sorted())
    }

    fn lets_through(entry: &str, kind: &str, data: Value) -> bool {
        let (filter, problems) = compile(entry);
        assert!(problems.is_empty(), "{problems:?}");
        filter.unwrap().matches(&event(kind, data)).unwrap()
    }

    #[test]
    fn a_star_in_a_type_stands_for_any_run_of_characters_and_nothing_else_does() {
        for (globs, kind, wanted) in [
            ("order.*", "order.created", true),
            ("order.*", "order.", true),
            ("order.*", "orders.created", false),
            ("order.*", "reorder.created", false),
            ("*.created", "order.created", true),
            ("*", "", true),
            ("*", "two\nlines", true),
            ("order.created", "order.created", true),
            ("order.created", "orderXcreated", false),
            ("order.created", "order.created\n", false),
            ("a+b", "a+b", true),
            ("a+b", "aab", false),
            ("Order", "order", false),
            ("a', 'b", "b", true),
        ] {
            assert_eq!(lets_through(&format!("types: ['{globs}']"), kind, json!({})), wanted, "{globs} {kind:?}");
        }
    }

    #[test]
    fn all_any_and_not_are_what_they_say() {
        let data = || json!({ "a": 1, "b": 2 });
        for (filter, wanted) in [
            ("all: [$.data.a, $.data.b]", true),
            ("all: [$.data.a, $.data.c]", false),
            ("any: [$.data.c, $.data.b]", true),
            ("any: [$.data.c, $.data.d]", false),
            ("not: [$.data.c, $.data.d]", true),
            ("not: [$.data.c, $.data.b]", false),
            ("not: [{ all: [$.data.a, $.data.c] }]", true),
            ("types: ['t'], any: [$.data.c]", false),
            ("types: ['t'], all: [$.data.a], any: [$.data.b], not: [$.data.c]", true),
        ] {
            assert_eq!(lets_through(&format!("filter: {{ {filter} }}"), "t", data()), wanted, "{filter}");
        }
    }

    #[test]
    fn types_beside_a_filter_must_hold_too() {
        for (kind, data, wanted) in
            [("t", json!({ "a": 1 }), true), ("u", json!({ "a": 1 }), false), ("t", json!({}), false)]
        {
            assert_eq!(lets_through("types: [t], filter: $.data.a", kind, data), wanted);
        }
    }

    #[test]
    fn what_says_nothing_or_never_holds_is_one_problem_at_its_place() {
        for entry in [
            "types: []",
            "types: ['']",
            "filter: {}",
            "filter: { types: [] }",
            "filter: { any: [] }",
            "filter: { all: [$.a, 'nonsense ='] }",
            "filter: $.data.a ==",
            "filter: $.data.n > 2 && $.data.n < 1",
        ] {
            let (_, problems) = compile(entry);
            assert_eq!(problems.len(), 1, "{entry}: {problems:?}");
            assert!(problems[0].place.column > 50, "{entry}: {:?}", problems[0].place);
        }
    }

    #[test]
    fn a_route_that_does_not_want_an_event_asks_no_lane() {
        let lane = |name: &str| Lane::new("r", name);
        let filter = |entry: &str| compile(entry).0;
        let wants = |name, filter| LaneWants { lane: lane(name), filter, order_by: None };
        let lanes = || vec![wants("all", None), wants("paid", filter("types: [paid]"))];
        let names = |wants: &Wants, event: &Event| -> Vec<Lane> {
            wants.deliveries(event).unwrap().into_iter().map(|delivery| delivery.lane).collect()
        };
        let everything = Wants::new(None, lanes());
        assert_eq!(names(&everything, &event("paid", json!({}))), [lane("all"), lane("paid")]);
        assert_eq!(names(&everything, &event("sent", json!({}))), [lane("all")]);
        let few = Wants::new(filter("filter: $.data.a"), lanes());
        assert_eq!(names(&few, &event("paid", json!({}))), []);
        assert_eq!(names(&few, &event("paid", json!({ "a": null }))).len(), 2);
    }

    fn event_of(data: Value) -> Event {
        event("order.paid", data)
    }

    /// Each part that decided, and what it says of itself.
    fn why(entry: &str, data: Value) -> Vec<String> {
        let filter = compile(entry).0;
        let wants = Wants::new(None, vec![LaneWants { lane: Lane::new("r", "d"), filter, order_by: None }]);
        let event = event_of(data);
        let wishes = wants.explain(&event).unwrap();
        assert_eq!(wishes[0].decision.holds, wants.deliveries(&event).unwrap().len() == 1, "{entry}");
        wishes[0].decision.because.iter().map(|why| format!("{}: {}", why.part, why.cause.text)).collect()
    }

    #[test]
    fn the_part_that_decided_is_named_by_where_it_stands() {
        for (entry, because) in [
            ("types: [a.*]", &["types: [a.*]"][..]),
            ("types: [a.*], filter: $.data.a", &["types: [a.*]"]),
            ("types: ['*'], filter: $.data.b == 1", &["filter: $.data.b == 1"]),
            ("filter: $.data.a == 1 && $.data.b == 2", &["filter: $.data.b == 2"]),
            (
                "filter: { types: ['*'], any: [$.data.b, $.data.c] }",
                &["filter.any[0]: $.data.b", "filter.any[1]: $.data.c"],
            ),
            ("filter: { all: [$.data.a, { not: [$.data.b, $.data.a] }] }", &["filter.all[1].not[1]: $.data.a"]),
            ("filter: { all: [$.data.a] }", &["filter.all[0]: $.data.a"]),
            ("filter: $.data.a", &["filter: $.data.a"]),
        ] {
            assert_eq!(why(entry, json!({ "a": 1 })), because, "{entry}");
        }
    }

    #[test]
    fn a_routes_own_filter_is_why_no_lane_wants_an_event() {
        let lanes = ["one", "two"].map(|name| LaneWants { lane: Lane::new("r", name), filter: None, order_by: None });
        let wants = Wants::new(compile("filter: $.data.a").0, lanes.into());
        let wishes = wants.explain(&event_of(json!({}))).unwrap();
        assert!(wishes.iter().all(|wish| !wish.decision.holds && wish.decision.because[0].part == "route.filter"));
        assert!(wants.explain(&event_of(json!({ "a": 1 }))).unwrap().iter().all(|wish| wish.decision.holds));
    }

    /// An entry of a filter, at any depth.
    fn entries() -> impl Strategy<Value = String> {
        let leaf = prop_oneof![
            prop::sample::select(vec![
                "$.data.a == 1",
                "$.data.b",
                "!$.data.a || $.data.b && $.data.c",
                "$.data[?@ > 1]"
            ])
            .prop_map(|text| format!("\"{text}\"")),
            prop::sample::select(vec!["{ types: [order.*] }", "{ types: [x, '*.y'] }"]).prop_map(str::to_owned),
        ];
        leaf.prop_recursive(3, 12, 3, |inner| {
            (prop::sample::select(vec!["all", "any", "not"]), prop::collection::vec(inner, 1..4))
                .prop_map(|(key, inner)| format!("{{ {key}: [{}] }}", inner.join(", ")))
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        #[test]
        fn what_is_explained_is_what_is_decided(
            route in entries(), lane in entries(), types in prop::sample::select(vec!["", "types: [order.*], "]),
            data in prop::collection::hash_map("[abc]", 0..3_i32, 0..3),
        ) {
            let filter = |entry: String| compile(&entry).0;
            let lanes = vec![
                LaneWants { lane: Lane::new("r", "d"), filter: filter(format!("{types}filter: {lane}")), order_by: None },
                LaneWants { lane: Lane::new("r", "e"), filter: None, order_by: None },
            ];
            let wants = Wants::new(filter(format!("filter: {route}")), lanes);
            let event = event_of(json!(data));
            let wanted: Vec<_> = wants.deliveries(&event).unwrap();
            let wishes = wants.explain(&event).unwrap();
            let explained = wishes.into_iter().filter(|wish| wish.decision.holds);
            let explained: Vec<_> = explained.map(|wish| NewDelivery { lane: wish.lane, order_key: wish.order_key }).collect();
            prop_assert_eq!(format!("{explained:?}"), format!("{wanted:?}"));
        }
    }
}
