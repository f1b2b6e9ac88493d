//! The JSON report against its published layout, `docs/schema/report-1.json`.
//!
//! The layout uses few words of JSON Schema, so a page of code reads it; [`Reader`] refuses any
//! word that it does not know, and notes what it visited, so that a field which the layout has
//! and the report has not is found too.

use std::collections::BTreeSet;

use serde_json::Value;
use shakedown_findings::RunReport;
use shakedown_report::json;

use crate::samples;

const SCHEMA: &str = include_str!("../../../../docs/schema/report-1.json");

/// Words of JSON Schema that the layout may use.
const WORDS: &[&str] = &[
    "$schema",
    "$defs",
    "$ref",
    "title",
    "description",
    "type",
    "enum",
    "const",
    "properties",
    "required",
    "additionalProperties",
    "items",
    "minimum",
    "maximum",
    "anyOf",
    "oneOf",
];

struct Reader {
    root: Value,
    /// Every property and every choice that some data went through, as JSON pointers.
    visited: BTreeSet<String>,
}

impl Reader {
    fn new() -> Self {
        Self {
            root: serde_json::from_str(SCHEMA).expect("the schema is JSON"),
            visited: BTreeSet::new(),
        }
    }

    /// What the report breaks, as `path: why`.
    fn check(&mut self, report: &RunReport) -> Vec<String> {
        let data = serde_json::from_str(&json::render(report)).expect("the report is JSON");
        self.mistakes("", &data, "report")
    }

    fn mistakes(&mut self, at: &str, data: &Value, path: &str) -> Vec<String> {
        let schema = self
            .root
            .pointer(at)
            .expect("a place in the schema")
            .clone();
        if let Some(reference) = schema["$ref"].as_str() {
            return self.mistakes(reference.trim_start_matches('#'), data, path);
        }
        let mut mistakes = plain_mistakes(&schema, data, path);
        for word in ["anyOf", "oneOf"] {
            if let Some(choices) = schema[word].as_array() {
                mistakes.extend(self.choice(&format!("{at}/{word}"), choices.len(), data, path));
            }
        }
        if let (Some(object), Some(_)) = (data.as_object(), schema.get("properties")) {
            for (name, value) in object {
                let below = format!("{at}/properties/{name}");
                if self.root.pointer(&below).is_some() {
                    mistakes.extend(self.mistakes(&below, value, &format!("{path}.{name}")));
                    self.visited.insert(below);
                } else {
                    mistakes.push(format!("{path}.{name}: not in the schema"));
                }
            }
        }
        if let (Some(values), Some(_)) = (data.as_array(), schema.get("items")) {
            for value in values {
                mistakes.extend(self.mistakes(&format!("{at}/items"), value, &format!("{path}[]")));
            }
        }
        mistakes
    }

    fn choice(&mut self, at: &str, choices: usize, data: &Value, path: &str) -> Vec<String> {
        let mut fits = 0;
        for choice in 0..choices {
            let at = format!("{at}/{choice}");
            if self.mistakes(&at, data, path).is_empty() {
                fits += 1;
                self.visited.insert(at);
            }
        }
        match fits {
            1 => vec![],
            _ => vec![format!("{path}: {fits} of {choices} choices fit")],
        }
    }
}

/// Mistakes that show in one place alone.
fn plain_mistakes(schema: &Value, data: &Value, path: &str) -> Vec<String> {
    let mut mistakes = Vec::new();
    let mut expect = |holds: bool, what: String| {
        if !holds {
            mistakes.push(format!("{path}: {what}"));
        }
    };
    match &schema["type"] {
        Value::String(name) => expect(is(data, name), format!("not a {name}")),
        Value::Array(names) => {
            let mut names = names.iter().filter_map(Value::as_str);
            expect(names.any(|name| is(data, name)), "no such type".into());
        }
        _ => {}
    }
    if let Some(values) = schema["enum"].as_array() {
        expect(
            values.contains(data),
            format!("{data} is none of the values"),
        );
    }
    if let Some(value) = schema.get("const") {
        expect(value == data, format!("{data} is not {value}"));
    }
    if let (Some(least), Some(number)) = (schema["minimum"].as_f64(), data.as_f64()) {
        expect(number >= least, format!("{number} is below {least}"));
    }
    if let (Some(most), Some(number)) = (schema["maximum"].as_f64(), data.as_f64()) {
        expect(number <= most, format!("{number} is above {most}"));
    }
    for name in schema["required"].as_array().into_iter().flatten() {
        let name = name.as_str().expect("a name");
        expect(data.get(name).is_some(), format!("{name} is missing"));
    }
    mistakes
}

fn is(data: &Value, name: &str) -> bool {
    match name {
        "object" => data.is_object(),
        "array" => data.is_array(),
        "string" => data.is_string(),
        "integer" => data.is_i64() || data.is_u64(),
        "number" => data.is_number(),
        "boolean" => data.is_boolean(),
        "null" => data.is_null(),
        _ => panic!("{name} is no type of JSON"),
    }
}

/// Every schema within a schema, with its pointer.
fn schemas(at: &str, schema: &Value, found: &mut Vec<(String, Value)>) {
    found.push((at.to_owned(), schema.clone()));
    for word in ["properties", "$defs"] {
        for (name, below) in schema[word].as_object().into_iter().flatten() {
            schemas(&format!("{at}/{word}/{name}"), below, found);
        }
    }
    for word in ["anyOf", "oneOf"] {
        for (number, below) in schema[word].as_array().into_iter().flatten().enumerate() {
            schemas(&format!("{at}/{word}/{number}"), below, found);
        }
    }
    if let Some(below) = schema.get("items") {
        schemas(&format!("{at}/items"), below, found);
    }
}

fn all_schemas() -> Vec<(String, Value)> {
    let mut found = Vec::new();
    schemas("", &Reader::new().root, &mut found);
    found
}

fn reports() -> [RunReport; 6] {
    [
        samples::healthy(),
        samples::faulty(),
        samples::little_known(),
        samples::early_exit(),
        samples::hostile(),
        samples::everything(),
    ]
}

#[test]
fn every_report_keeps_to_the_schema() {
    let mut reader = Reader::new();
    for report in reports() {
        assert_eq!(reader.check(&report), Vec::<String>::new());
    }
}

#[test]
fn the_schema_holds_nothing_that_no_report_has() {
    let mut reader = Reader::new();
    for report in reports() {
        reader.check(&report);
    }
    for (at, _) in all_schemas() {
        let choice = at.contains("Of/") && at.ends_with(|c: char| c.is_ascii_digit());
        let property = at.rsplit('/').nth(1) == Some("properties");
        if choice || property {
            assert!(reader.visited.contains(&at), "no sample has {at}");
        }
    }
}

#[test]
fn the_schema_documents_and_closes_everything() {
    for (at, schema) in all_schemas() {
        let schema = schema.as_object().expect("a schema is an object");
        for word in schema.keys() {
            assert!(
                WORDS.contains(&word.as_str()),
                "{at}: {word} is not checked"
            );
        }
        let element = at.ends_with("/items") || at.contains("Of/");
        let documented = schema.contains_key("description");
        assert!(documented || element, "{at} has no description");
        let Some(properties) = schema.get("properties") else {
            continue;
        };
        assert_eq!(schema["additionalProperties"], false, "{at} is open");
        let names = properties.as_object().expect("properties").keys();
        let required = schema["required"].as_array().expect("required fields");
        assert_eq!(
            names.len(),
            required.len(),
            "{at}: every field is always written"
        );
    }
}

#[test]
fn a_field_or_value_that_the_schema_lacks_is_noticed() {
    let mut reader = Reader::new();
    let mut report = samples::healthy();
    report.rules[0].outcome = "perhaps".into();
    report.schema = 2;
    let mistakes = reader.check(&report);
    assert_eq!(mistakes.len(), 2, "{mistakes:?}");

    let properties = reader.root.pointer_mut("/properties").expect("properties");
    properties
        .as_object_mut()
        .expect("an object")
        .remove("took_ms");
    let mistakes = reader.check(&samples::healthy());
    assert_eq!(mistakes, ["report.took_ms: not in the schema"]);
}

#[test]
fn the_report_reads_back_and_ends_with_a_line_end() {
    for report in reports() {
        let text = json::render(&report);
        assert!(text.ends_with("}\n"));
        let back: RunReport = serde_json::from_str(&text).expect("a report");
        assert_eq!(back, report);
    }
}
