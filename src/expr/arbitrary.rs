//! Arbitrary text, queries and payloads for the property tests.

use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::Value;

/// Any text, much of it made of what expressions are made of.
pub(super) fn text() -> impl Strategy<Value = String> {
    let token = proptest::sample::select(vec![
        "$",
        "@",
        ".",
        "..",
        "[",
        "]",
        "(",
        ")",
        "?",
        "'a'",
        "\"b\"",
        "'",
        "\\",
        "a",
        "length(",
        "count(",
        "value(",
        "match(",
        "search(",
        "==",
        "!=",
        "<",
        "<=",
        "&&",
        "||",
        "!",
        "*",
        ",",
        ":",
        "0",
        "1",
        "-1",
        "1.5e3",
        "{",
        "}",
        "{{",
        "}}",
        "{$.a}",
        "$.a",
        "@.b",
        "[?",
        " ",
        "\n",
        "é",
        "true",
        "null",
        "header:",
        "query:",
        "envelope:$",
    ]);
    prop_oneof![any::<String>(), vec(token, 0..40).prop_map(|tokens| tokens.concat())]
}

/// A payload of few names and few values, so that queries find something.
pub(super) fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (0..4_i64).prop_map(Value::from),
        (0..4).prop_map(|number| Value::from(f64::from(number) / 2.0)),
        "[a-c\u{e9}]{0,3}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            vec(("[abc]", inner), 0..4).prop_map(|members| members.into_iter().collect()),
        ]
    })
}

/// A valid query over such a payload.
pub(super) fn small_query() -> impl Strategy<Value = String> {
    let segment = prop_oneof![
        "\\.[abc]",
        "\\[(-2|-1|0|1)\\]",
        Just(".*".to_owned()),
        Just("..*".to_owned()),
        "\\.\\.[abc]",
        Just("['a', 'b', 0]".to_owned()),
        Just("[::-1]".to_owned()),
        Just("[1:]".to_owned()),
        Just("[?@.a == $.a || @ >= 1]".to_owned()),
        Just("[?!@.b && count(@.*) != 1]".to_owned()),
        Just("[?length(@) >= 1 && !match(@, 'a|b.*')]".to_owned()),
    ];
    vec(segment, 0..4).prop_map(|segments| format!("${}", segments.concat()))
}

/// A text with what generators of values never make: equal names, escapes, white space, numbers as they come.
pub(super) fn json_text() -> impl Strategy<Value = String> {
    let scalar = prop::sample::select(vec![
        "null",
        "true",
        "1",
        "-0",
        "1.50",
        "1e3",
        "18446744073709551616",
        r#""""#,
        r#""a\u0062\n""#,
        r#""\ud83d\ude00""#,
        r#""é""#,
        "1e999",
        r#""\ud83d""#,
        "01",
        "nul",
        "\"\n\"",
        "",
        "1.",
        r#""\x""#,
    ]);
    let sound = prop::sample::select(vec!["null", "false", "2", "1.25", r#""a""#, r#""b\"c""#]);
    let leaf = prop_oneof![1 => scalar, 8 => sound].prop_map(str::to_owned);
    leaf.prop_recursive(4, 32, 4, |inner| {
        let name = prop::sample::select(vec!["a", "b", "c", r"\u0061", "d", "$serde_json::private::RawValue"]);
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(|list| format!("[ {}]", list.join(" ,\t"))),
            vec((name, inner), 0..4).prop_map(|members| {
                let members: Vec<String> =
                    members.into_iter().map(|(name, value)| format!("\"{name}\" :{value}")).collect();
                format!("{{{}\n}}", members.join(","))
            }),
        ]
    })
}

/// A valid predicate over such a payload.
pub(super) fn predicate() -> impl Strategy<Value = String> {
    let query = || small_query().prop_map(|query| query.replace("['a', 'b', 0]", "['a','b',0]"));
    let singular = || "\\$(\\.[abc]|\\[(-1|0)\\]){0,3}";
    let operator = proptest::sample::select(vec!["==", "!=", "<", "<=", ">", ">="]);
    let operand = || {
        prop_oneof![
            singular().prop_map(String::from),
            "[0-3]",
            "'[a-c\u{e9}]{0,2}'",
            Just("null".to_owned()),
            Just("true".to_owned()),
            query().prop_map(|query| format!("count({query})")),
            singular().prop_map(|query| format!("length({query})")),
        ]
    };
    let leaf = prop_oneof![
        query(),
        (operand(), operator, operand()).prop_map(|(left, operator, right)| format!("{left} {operator} {right}")),
        singular().prop_map(|query| format!("match({query}, 'a.*')")),
        singular().prop_map(|query| format!("search({query}, 'b|c')")),
    ];
    leaf.prop_recursive(4, 24, 3, |inner| {
        prop_oneof![
            vec(inner.clone(), 1..4).prop_map(|parts| format!("({})", parts.join(" && "))),
            vec(inner.clone(), 1..4).prop_map(|parts| format!("({})", parts.join(" || "))),
            inner.prop_map(|inner| format!("!({inner})")),
        ]
    })
}
