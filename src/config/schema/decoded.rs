//! From what a derived schema says to what the decoder takes.

use serde_json::{Map, Value, json};

/// A reference as `interpolate` reads it: not behind another `$`, and with a name or a file in it.
pub(super) const REFERENCE: &str = r"(?:^|[^$])\$\{(?:file:[^}]*|[A-Za-z_][A-Za-z0-9_]*(?::-[^}]*)?)\}";

/// What the decoder adds to what serde would say.
#[derive(Debug, Clone, Copy)]
pub(super) struct Decoded {
    /// Whether `${NAME}` stands for what is in a variable.
    pub(super) interpolated: bool,
}

/// The ways in which a value may be written, of which each is known by its type.
#[derive(Default)]
struct Ways {
    /// Words, and what each of them means.
    words: Vec<(Value, Value)>,
    /// The others. A mapping is among them by its type alone: what is in it stands beside them.
    others: Vec<Value>,
    /// What each of the others means.
    meanings: Vec<String>,
}

/// A value of one of these types, or else of the type `named`: the one that an editor names and offers. Were all of them
/// in `type`, it would offer `true` and `false` for every text.
pub(super) fn of_types(silent: &[&str], named: &str) -> Value {
    let silent = if let [only] = silent { json!(only) } else { json!(silent) };
    json!({ "if": { "type": silent }, "else": { "type": named } })
}

// === impl Decoded ===

impl Decoded {
    /// Corrects a schema and all below it.
    pub(super) fn correct(self, schema: &mut Value) {
        let Some(schema) = schema.as_object_mut() else { return };
        for (_, types) in schema.iter_mut().filter(|(key, _)| *key == "definitions") {
            types.as_object_mut().into_iter().flatten().for_each(|(_, schema)| self.correct(schema));
        }
        for (_, keys) in schema.iter_mut().filter(|(key, _)| *key == "properties") {
            keys.as_object_mut().into_iter().flatten().for_each(|(_, schema)| self.correct_value(schema));
        }
        for (_, value) in schema.iter_mut().filter(|(key, _)| ["items", "additionalProperties"].contains(&key.as_str()))
        {
            self.correct_value(value);
        }
        for (_, ways) in schema.iter_mut().filter(|(key, _)| ["anyOf", "oneOf"].contains(&key.as_str())) {
            ways.as_array_mut().into_iter().flatten().for_each(|schema| self.correct(schema));
        }
        // Defaults are in the comments, in words.
        schema.remove("default");
        if let Some(Value::String(text)) = schema.get_mut("description") {
            // The comment was broken for the source's width.
            *text = text.split("\n\n").map(|part| part.replace('\n', " ")).collect::<Vec<_>>().join("\n\n");
        }
        self.unite(schema);
        self.scalar(schema);
    }

    /// Corrects what stands under a key or in a list.
    fn correct_value(self, schema: &mut Value) {
        let optional = take_null(schema);
        self.correct(schema);
        // A mapping that needs nothing may have all of its entries commented out. An `Option` takes no nothing: `filter:`
        // without a value would let everything pass.
        if let (false, Some(schema)) = (optional, schema.as_object_mut())
            && schema.get("type") == Some(&json!("object"))
            && !schema.contains_key("required")
            && !schema.contains_key("minProperties")
        {
            schema.remove("type");
            merge(schema, of_types(&["null"], "object"));
        }
    }

    /// Tells alternatives by what they are, as the decoder does. What an editor says of `anyOf` with two mappings in it is of
    /// no use to somebody who misspelt a key in one.
    fn unite(self, schema: &mut Map<String, Value>) {
        let tagged = schema.contains_key("oneOf");
        let branches = match schema.remove("oneOf").or_else(|| schema.remove("anyOf")) {
            Some(Value::Array(branches)) => branches,
            _ if schema.contains_key("enum") => {
                schema.remove("type");
                vec![json!({ "enum": schema.remove("enum") })]
            }
            _ => return,
        };
        let mut ways = Ways::default();
        for branch in branches {
            match branch {
                Value::Object(branch) => ways.add(branch, tagged, schema),
                other => ways.others.push(other),
            }
        }
        ways.explain(schema);
        let mut ways = ways.into_list(self.interpolated);
        match (ways.pop(), ways.is_empty()) {
            (Some(only), true) => merge(schema, only),
            (last, _) => {
                ways.extend(last);
                schema.insert("anyOf".to_owned(), Value::Array(ways));
            }
        }
    }

    /// What a scalar is: any is text where text is wanted, and text with a reference in it may become anything.
    fn scalar(self, schema: &mut Map<String, Value>) {
        match schema.get("type").and_then(Value::as_str) {
            Some("string") => match schema.get_mut("pattern") {
                Some(Value::String(pattern)) if self.interpolated => *pattern = format!("{pattern}|{REFERENCE}"),
                Some(_) => {}
                None => {
                    schema.remove("type");
                    merge(schema, of_types(&["number", "boolean"], "string"));
                }
            },
            Some("integer") => {
                let most = match schema.remove("format").as_ref().and_then(Value::as_str) {
                    Some("uint8") => Some(u64::from(u8::MAX)),
                    Some("uint16") => Some(u64::from(u16::MAX)),
                    Some("uint32") => Some(u64::from(u32::MAX)),
                    Some("uint64") => Some(u64::MAX),
                    _ => None,
                };
                let expected = most.map(|most| format!("expected a whole number from 0 to {most}"));
                merge(schema, most.map_or(Value::Null, |most| json!({ "maximum": most })));
                self.or_reference(schema, "integer", expected.as_deref().unwrap_or("expected a whole number"));
            }
            Some("number") => {
                schema.remove("format");
                self.or_reference(schema, "number", "expected a number");
            }
            Some("boolean") => self.or_reference(schema, "boolean", "expected true or false"),
            _ => {}
        }
    }

    fn or_reference(self, schema: &mut Map<String, Value>, kind: &str, expected: &str) {
        if self.interpolated {
            merge(schema, json!({ "pattern": REFERENCE, "errorMessage": expected }));
            schema.insert("type".to_owned(), json!([kind, "string"]));
        }
    }
}

// === impl Ways ===

impl Ways {
    /// Adds one. What a mapping holds goes to `around`, where it is looked at whatever else would do. `tagged`: its one key
    /// says what it is.
    fn add(&mut self, mut way: Map<String, Value>, tagged: bool, around: &mut Map<String, Value>) {
        let meaning = way.remove("description");
        if let Some(word) = way.remove("const") {
            self.words.push((word, meaning.unwrap_or_default()));
        } else if let Some(Value::Array(words)) = way.remove("enum") {
            self.words.extend(words.into_iter().map(|word| (word, meaning.clone().unwrap_or_default())));
        } else if let (1, Some(Value::Array(inner))) = (way.len(), way.get("anyOf")) {
            self.others.extend(inner.iter().cloned());
            self.mean(meaning);
        } else if way.get("type") != Some(&json!("object")) {
            self.others.push(Value::Object(way));
            self.mean(meaning);
        } else {
            way.remove("type");
            if tagged {
                way.remove("required");
                describe_keys(&mut way, meaning.as_ref());
                merge(around, json!({ "minProperties": 1, "maxProperties": 1 }));
            } else {
                self.mean(meaning);
            }
            merge(around, Value::Object(way));
            let mapping = json!({ "type": "object" });
            if !self.others.contains(&mapping) {
                self.others.push(mapping);
            }
        }
    }

    fn mean(&mut self, meaning: Option<Value>) {
        self.meanings.extend(meaning.as_ref().and_then(Value::as_str).map(str::to_owned));
    }

    /// Says at the key what each of several means: an editor shows either what is said there or what is said deeper.
    fn explain(&self, schema: &mut Map<String, Value>) {
        if self.meanings.len() > 1 {
            let own = schema.get("description").and_then(Value::as_str).map(|own| format!("{own}\n\n"));
            let list = self.meanings.iter().map(|meaning| format!("- {meaning}")).collect::<Vec<_>>().join("\n");
            schema.insert("description".to_owned(), json!(own.unwrap_or_default() + &list));
        } else if let ([only], false) = (self.meanings.as_slice(), schema.contains_key("description")) {
            schema.insert("description".to_owned(), json!(only));
        }
    }

    fn into_list(self, interpolated: bool) -> Vec<Value> {
        let mut list = Vec::new();
        if !self.words.is_empty() {
            let (words, meanings): (Vec<_>, Vec<_>) = self.words.into_iter().unzip();
            list.push(json!({ "enum": words }));
            if let (true, Some(Value::Object(of_words))) = (meanings.iter().all(Value::is_string), list.last_mut()) {
                // What yaml-language-server and VS Code show beside each.
                of_words.insert("enumDescriptions".to_owned(), Value::Array(meanings));
            }
            if interpolated {
                list.push(json!({ "type": "string", "pattern": REFERENCE }));
            }
        }
        list.extend(self.others);
        list
    }
}

/// What is said of a variant is said of its key.
fn describe_keys(way: &mut Map<String, Value>, meaning: Option<&Value>) {
    for value in way.get_mut("properties").and_then(Value::as_object_mut).into_iter().flat_map(Map::values_mut) {
        if let (Value::Object(value), Some(meaning)) = (value, meaning) {
            value.insert("description".to_owned(), meaning.clone());
        }
    }
}

/// Adds to `schema` what it does not say itself. Keys of a mapping come together.
fn merge(schema: &mut Map<String, Value>, other: Value) {
    let Value::Object(other) = other else { return };
    for (keyword, value) in other {
        match (schema.get_mut(&keyword), value) {
            (Some(Value::Object(keys)), Value::Object(more)) if keyword == "properties" => keys.extend(more),
            (Some(_), _) => {}
            (None, value) => {
                schema.insert(keyword, value);
            }
        }
    }
}

/// Takes out what a derive adds for `Option`. Says whether it was there.
fn take_null(schema: &mut Value) -> bool {
    let Some(schema) = schema.as_object_mut() else { return false };
    let (null, mut was_there) = (json!({ "type": "null" }), false);
    if let Some(Value::Array(words)) = schema.get_mut("enum") {
        words.retain(|word| !word.is_null());
    }
    if let Some(Value::Array(types)) = schema.get_mut("type") {
        types.retain(|kind| kind != "null");
        was_there = true;
        if let [only] = types.as_slice() {
            let only = only.clone();
            schema.insert("type".to_owned(), only);
        }
    }
    if let Some(Value::Array(ways)) = schema.get_mut("anyOf")
        && ways.contains(&null)
    {
        ways.retain(|way| *way != null);
        was_there = true;
        if let [_] = ways.as_slice() {
            let only = ways.pop();
            schema.remove("anyOf");
            merge(schema, only.unwrap_or_default());
        }
    }
    was_there
}
