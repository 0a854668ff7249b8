//! What of an event may be seen: nothing that its mask hides, by the configuration in force, so that a mask hides also what
//! was stored before it was written.
//!
//! There is no way around it, for a token neither: the listener has one, which whoever scrapes the metrics has too. To see
//! more, change the configuration: that leaves a trace.

use std::borrow::Cow;
use std::sync::Arc;

use serde_json::{Value, json};
use url::form_urlencoded;

use crate::expr::{HIDDEN, Mask, hides_part};
use crate::model::{Attempt, Event, Headers, Lane, Request};
use crate::queue::Selection;
use crate::routing::RouteTable;

/// What may be seen of the events of a route, or of one event.
#[derive(Debug, Clone)]
pub(super) struct Sight<'t> {
    table: &'t RouteTable,
    mask: Arc<Mask>,
}

/// What may be seen of a request.
#[derive(Debug)]
pub(super) struct Seen<'e> {
    request: &'e Request,
    /// The event's document as it is shown; `None` where nothing of it is hidden.
    document: Option<Value>,
    path: bool,
}

// === impl Sight ===

impl<'t> Sight<'t> {
    /// Of an event that is known by its head alone.
    pub(super) fn of_route(table: &'t RouteTable, route: &str) -> Self {
        Self { table, mask: table.mask_of_route(route) }
    }

    /// Of an event.
    pub(super) fn of_event(table: &'t RouteTable, event: &Event) -> Self {
        Self { table, mask: table.mask_of(event) }
    }

    pub(super) fn mask(&self) -> &Mask {
        &self.mask
    }

    /// An attribute.
    pub(super) fn attribute<'v>(&self, name: &str, value: &'v str) -> &'v str {
        if self.mask.hides(name) { HIDDEN } else { value }
    }

    /// An order key. One that is the text of an object or a list may hold something that is hidden.
    pub(super) fn order_key<'v>(&self, lane: &Lane, key: &'v str) -> &'v str {
        let composed = key.starts_with(['{', '[']) && !self.mask.is_nothing();
        if composed || !self.table.shows_keys(lane) { HIDDEN } else { key }
    }

    /// How an attempt ended. The words of the destination may repeat what it was sent, in any form: where anything is hidden
    /// they are. They stand behind our own, after a colon, and only where there was an answer.
    pub(super) fn detail<'v>(&self, attempt: &'v Attempt) -> Cow<'v, str> {
        match attempt.detail.split_once(": ") {
            Some((own, _)) if !self.mask.is_nothing() && attempt.status.is_some() => format!("{own}: {HIDDEN}").into(),
            _ => (&*attempt.detail).into(),
        }
    }

    /// The request of an event.
    pub(super) fn request<'e>(&self, event: &'e Event) -> Seen<'e> {
        let request = event.request();
        if self.mask.is_nothing() {
            return Seen { request, document: None, path: true };
        }
        let document = self.mask.document(event);
        let source_is_path = request.path == event.attributes().source;
        let path = !(hides_part(document.get("path")) || (source_is_path && self.hides_source(&document)));
        Seen { request, document: Some(document), path }
    }

    /// The source of an event, whose request is seen so.
    pub(super) fn source<'e>(&self, event: &'e Event, seen: &Seen<'_>) -> &'e str {
        let hidden = seen.document.as_ref().is_some_and(|document| self.hides_source(document));
        if hidden { HIDDEN } else { &event.attributes().source }
    }

    fn hides_source(&self, document: &Value) -> bool {
        self.mask.hides("source") || document.get("source").is_none_or(|source| source == HIDDEN)
    }
}

/// The order key of a selection, which somebody took from an event. It is shown where each lane that is meant shows its keys.
pub(super) fn selected_key<'s>(table: &RouteTable, selection: &'s Selection) -> Option<&'s str> {
    let Selection { route, delivery, order_key, .. } = selection;
    let is = |given: &Option<Box<str>>, name: &str| given.as_deref().is_none_or(|given| given == name);
    let key = order_key.as_deref()?;
    let mut meant = table.lanes().filter(|lane| is(route, &lane.route) && is(delivery, &lane.delivery)).peekable();
    let known = meant.peek().is_some();
    let shown = meant.all(|lane| Sight::of_route(table, &lane.route).order_key(lane, key) != HIDDEN);
    Some(if known && shown { key } else { HIDDEN })
}

// === impl Seen ===

impl Seen<'_> {
    pub(super) fn request(&self) -> &Request {
        self.request
    }

    pub(super) fn path(&self) -> &str {
        if self.path { &self.request.path } else { HIDDEN }
    }

    /// The query as sent, where none of its values is hidden.
    pub(super) fn query(&self) -> Cow<'_, str> {
        let query = &*self.request.query;
        let shown = match self.part("query") {
            None => return query.into(),
            Some(Value::Object(shown)) => shown,
            Some(_) => return HIDDEN.into(),
        };
        let is_hidden = |field: &str| {
            form_urlencoded::parse(field.as_bytes())
                .any(|(name, _)| shown.get(&*name).is_none_or(|value| value == HIDDEN))
        };
        let fields = query.split('&').map(|field| match field.split_once('=') {
            Some((name, _)) if is_hidden(field) => Cow::Owned(format!("{name}={HIDDEN}")),
            _ => Cow::Borrowed(field),
        });
        fields.collect::<Vec<_>>().join("&").into()
    }

    /// Every value of a name is hidden where the one is that the document has.
    pub(super) fn headers(&self) -> Value {
        let headers: &Headers = &self.request.headers;
        let shown = match self.part("headers") {
            None => return headers.iter().map(|(name, value)| json!({ "name": name, "value": value })).collect(),
            Some(Value::Object(shown)) => shown,
            Some(_) => return json!([{ "name": HIDDEN, "value": HIDDEN }]),
        };
        let value =
            |name: &str, value| if shown.get(name).is_none_or(|value| value == HIDDEN) { HIDDEN } else { value };
        headers.iter().map(|(name, given)| json!({ "name": name, "value": value(name, given) })).collect()
    }

    /// A member of the document; `None` where nothing is hidden at all. What is hidden whole has no members.
    fn part(&self, name: &str) -> Option<&Value> {
        self.document.as_ref().map(|document| document.get(name).unwrap_or(&Value::Null))
    }
}

/// The table of a route `in` with a delivery `crm`, and this beside.
#[cfg(test)]
pub(super) fn table(route: &str) -> RouteTable {
    use crate::config::Problems;
    use crate::config::load::{self, FixedSurroundings};

    let text = format!(
        "destinations: {{ crm: {{ url: 'http://localhost' }} }}\nroutes:\n  - name: in\n    path: /in/{{who}}\n    auth: none\n    \
         deliver: [{{ to: crm, order_by: $.data.customer }}]\n{route}"
    );
    let loaded = load::parse("routes.yaml", &text, &FixedSurroundings::new());
    let mut problems = Problems::new();
    let table = crate::routing::compile(&loaded.file.unwrap(), &loaded.given, &mut problems);
    table.unwrap_or_else(|| panic!("{:#?}", problems.sorted()))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::model::{Attributes, Outcome, Reason, Timestamp, sample};
    use crate::queue::Selection;

    fn event(route: &str, provider: &str, query: &str) -> Event {
        let request = Request {
            path: "/in/mark".into(),
            query: query.into(),
            path_params: vec![("who".into(), "mark".into())],
            headers: Headers::from_iter([("x-a", "1"), ("x-b", "2"), ("X-A", "3")]),
            ..sample::request(r#"{"email":"a@b"}"#)
        };
        let provider = provider.into();
        let attributes = Attributes { source: "/in/mark".into(), provider, ..sample::attributes(route, "t") };
        Event::unparsed(attributes, Arc::new(request), 0..15)
    }

    #[test]
    fn every_value_under_a_hidden_name_is_hidden() {
        let table = table("    mask: [\"$.headers['x-a']\", $.query.email]");
        let event = event("in", "", "a=1&em%61il=x%40y&b&email=z");
        let seen = Sight::of_event(&table, &event).request(&event);
        assert_eq!(seen.query(), "a=1&em%61il=***&b&email=***");
        let field = |name: &str, value: &str| json!({ "name": name, "value": value });
        assert_eq!(seen.headers(), json!([field("x-a", HIDDEN), field("x-b", "2"), field("x-a", HIDDEN)]));
        assert_eq!(seen.path(), "/in/mark");
    }

    #[test]
    fn what_is_hidden_whole_has_no_names() {
        for mask in ["[$.headers, $.query, $.path]", "[$.*]", "[$]", "[\"$[?@]\"]"] {
            let table = table(&format!("    mask: {mask}"));
            let event = event("in", "", "email=1");
            let sight = Sight::of_event(&table, &event);
            let seen = sight.request(&event);
            assert_eq!((&*seen.query(), seen.path(), sight.source(&event, &seen)), (HIDDEN, HIDDEN, HIDDEN), "{mask}");
            assert_eq!(seen.headers(), json!([{ "name": HIDDEN, "value": HIDDEN }]), "{mask}");
        }
    }

    #[test]
    fn a_path_is_hidden_with_its_parameter_and_with_the_source_that_it_is() {
        for mask in ["[$.path.who]", "[$.source]"] {
            let table = table(&format!("    mask: {mask}"));
            let event = event("in", "", "");
            let sight = Sight::of_event(&table, &event);
            let seen = sight.request(&event);
            assert_eq!((seen.path(), sight.source(&event, &seen)), (HIDDEN, HIDDEN), "{mask}");
        }
    }

    #[test]
    fn of_a_route_that_is_gone_its_provider_says_what_is_hidden_and_without_it_everything_is() {
        let table = table("");
        let document = |event: &Event| Sight::of_event(&table, event).mask().document(event);
        assert_eq!(document(&event("gone", "paddle", ""))["data"]["email"], HIDDEN);
        assert_eq!(document(&event("in", "paddle", ""))["data"]["email"], HIDDEN);
        assert_eq!(document(&event("in", "unknown", ""))["data"]["email"], "a@b");
        for provider in ["", "unknown"] {
            assert_eq!(document(&event("gone", provider, "")), HIDDEN);
        }
        let head = Sight::of_route(&table, "gone");
        let attributes = ["id", "type", "subject"].map(|name| head.attribute(name, "x"));
        assert_eq!(attributes, ["x", "x", HIDDEN]);
    }

    #[test]
    fn an_order_key_is_hidden_with_what_it_is_taken_from() {
        let lane = Lane::new("in", "crm");
        for (mask, key, shown) in [
            ("[]", "7", "7"),
            ("[]", "{\"id\":7}", "{\"id\":7}"),
            ("[$.data.customer]", "7", HIDDEN),
            ("[$.data]", "7", HIDDEN),
            ("[$.data.other]", "7", "7"),
            ("[$.data.customer.email]", "7", "7"),
            ("[$.data.customer.email]", "{\"id\":7}", HIDDEN),
        ] {
            let table = table(&format!("    mask: {mask}"));
            assert_eq!(Sight::of_route(&table, "in").order_key(&lane, key), shown, "{mask} {key}");
            let gone = Sight::of_route(&table, "in").order_key(&Lane::new("in", "gone"), key).to_owned();
            assert_eq!(gone, if mask == "[]" { key } else { HIDDEN }, "{mask} {key}");
            let selection = |route: Option<&str>| {
                let selection =
                    Selection { route: route.map(Into::into), order_key: Some(key.into()), ..Selection::default() };
                selected_key(&table, &selection).map(str::to_owned)
            };
            assert_eq!(selection(None).as_deref(), Some(shown), "{mask} {key}");
            assert_eq!(selection(Some("gone")).as_deref(), Some(HIDDEN));
        }
    }

    #[test]
    fn the_words_of_a_destination_are_hidden_where_anything_is() {
        let attempt = |status, detail: &str| Attempt {
            number: 1,
            at: Timestamp::from_seconds(0),
            duration: Duration::ZERO,
            status,
            outcome: Outcome::Retry(Reason::ClientError),
            detail: detail.into(),
        };
        let detail = |mask: &str, attempt: &Attempt| {
            let table = table(&format!("    mask: {mask}"));
            Sight::of_route(&table, "in").detail(attempt).into_owned()
        };
        let echo = attempt(Some(422), "answered 422: a@b: taken");
        assert_eq!(detail("[]", &echo), "answered 422: a@b: taken");
        assert_eq!(detail("[$.data.email]", &echo), "answered 422: ***");
        assert_eq!(detail("[$.data.email]", &attempt(Some(422), "answered 422")), "answered 422");
        let refused = "no connection to crm: refused";
        assert_eq!(detail("[$.data.email]", &attempt(None, refused)), refused);
    }
}
