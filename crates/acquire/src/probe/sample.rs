//! A message made up from its type, to be looked at before anybody sends it.
//!
//! It is valid and shows what can be filled in: every field once, the first of each choice, one
//! level of messages within messages. Whether the service has such data is for its owner to say.

use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor};
use serde_json::{Map, Value, json};

/// Fields of one message that are shown; more would be no example.
const FIELDS_MAX: usize = 12;

/// The message as JSON.
pub(crate) fn sample(message: &MessageDescriptor) -> Value {
    object(message, true)
}

fn object(message: &MessageDescriptor, nested: bool) -> Value {
    let mut fields = Map::new();
    let shown = message.fields().filter(is_shown).take(FIELDS_MAX);
    for field in shown {
        if let Some(value) = value(&field, nested) {
            fields.insert(field.json_name().to_owned(), value);
        }
    }
    Value::Object(fields)
}

/// Of a choice its first; nothing deprecated; no token that only an answer could give.
fn is_shown(field: &FieldDescriptor) -> bool {
    let first = field.containing_oneof().is_none_or(|oneof| {
        let first = oneof.fields().next();
        first.is_some_and(|first| first.number() == field.number())
    });
    let options = field.field_descriptor_proto().options.as_ref();
    let deprecated = options.is_some_and(|options| options.deprecated());
    first && !deprecated && field.name() != "page_token"
}

fn value(field: &FieldDescriptor, nested: bool) -> Option<Value> {
    if field.is_map() {
        let Kind::Message(entry) = field.kind() else {
            return None;
        };
        let value = single(&entry.map_entry_value_field(), nested)?;
        let key = match entry.map_entry_key_field().kind() {
            Kind::String => "key",
            Kind::Bool => "true",
            _ => "1",
        };
        return Some(json!({ key: value }));
    }
    let one = single(field, nested)?;
    Some(if field.is_list() { json!([one]) } else { one })
}

fn single(field: &FieldDescriptor, nested: bool) -> Option<Value> {
    Some(match field.kind() {
        Kind::String => json!(text(field.name())),
        Kind::Bytes => json!("AA=="),
        Kind::Bool => json!(true),
        Kind::Double | Kind::Float => json!(1.5),
        Kind::Enum(kind) => {
            let meant = kind.values().find(|value| value.number() != 0);
            let value = meant.or_else(|| kind.values().next())?;
            json!(value.name())
        }
        Kind::Message(message) => return well_known(&message, nested),
        // JSON has 64-bit numbers as texts, and takes both.
        _ => json!(1),
    })
}

/// A word that fits the field's name.
fn text(name: &str) -> &'static str {
    let ends = |ending: &str| name == ending || name.ends_with(&format!("_{ending}"));
    if ends("id") || ends("number") {
        "1"
    } else if ends("email") {
        "a@example.org"
    } else if ends("url") || ends("uri") {
        "https://example.org/"
    } else if ends("currency_code") || ends("currency") {
        "EUR"
    } else if ends("country") || ends("country_code") {
        "DE"
    } else {
        "a"
    }
}

/// Well-known types have a JSON of their own.
fn well_known(message: &MessageDescriptor, nested: bool) -> Option<Value> {
    let name = message.full_name();
    let Some(known) = name.strip_prefix("google.protobuf.") else {
        return nested.then(|| object(message, false));
    };
    Some(match known {
        "Timestamp" => json!("2026-01-01T00:00:00Z"),
        "Duration" => json!("1s"),
        "StringValue" => json!("a"),
        "BytesValue" => json!("AA=="),
        "BoolValue" => json!(true),
        "DoubleValue" | "FloatValue" | "Int32Value" | "UInt32Value" | "Int64Value"
        | "UInt64Value" => json!(1),
        "Empty" | "Struct" => json!({}),
        "ListValue" => json!([]),
        "Value" => json!("a"),
        // What fits depends on what is meant: a type to be named, fields of another message.
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use prost_reflect::prost_types::field_descriptor_proto::{Label, Type};
    use prost_reflect::prost_types::{
        DescriptorProto, EnumDescriptorProto, EnumValueDescriptorProto, FieldDescriptorProto,
        FileDescriptorProto, MethodDescriptorProto, OneofDescriptorProto, ServiceDescriptorProto,
    };
    use prost_reflect::{DescriptorPool, DynamicMessage};

    use super::*;
    use crate::probe::Schema;

    fn field(name: &str, number: i32, kind: Type, of: Option<&str>) -> FieldDescriptorProto {
        FieldDescriptorProto {
            name: Some(name.into()),
            number: Some(number),
            r#type: Some(kind.into()),
            type_name: of.map(str::to_owned),
            label: Some(Label::Optional.into()),
            ..FieldDescriptorProto::default()
        }
    }

    fn orders() -> Schema {
        let repeated = FieldDescriptorProto {
            label: Some(Label::Repeated.into()),
            ..field("tags", 3, Type::String, None)
        };
        let choice = |name, number| FieldDescriptorProto {
            oneof_index: Some(0),
            ..field(name, number, Type::String, None)
        };
        let value = |name: &str, number| EnumValueDescriptorProto {
            name: Some(name.into()),
            number: Some(number),
            options: None,
        };
        let message = |name: &str, field: Vec<FieldDescriptorProto>| DescriptorProto {
            name: Some(name.into()),
            field,
            ..DescriptorProto::default()
        };
        let mut ask = message(
            "Ask",
            vec![
                field("order_id", 1, Type::String, None),
                field("state", 2, Type::Enum, Some(".o.State")),
                repeated,
                field(
                    "since",
                    4,
                    Type::Message,
                    Some(".google.protobuf.Timestamp"),
                ),
                field("inner", 5, Type::Message, Some(".o.Inner")),
                choice("by_name", 6),
                choice("by_email", 7),
                field("page_token", 8, Type::String, None),
                field("limit", 9, Type::Int64, None),
            ],
        );
        ask.oneof_decl = vec![OneofDescriptorProto {
            name: Some("by".into()),
            options: None,
        }];
        let inner = message(
            "Inner",
            vec![
                field("exact", 1, Type::Bool, None),
                field("deeper", 2, Type::Message, Some(".o.Inner")),
            ],
        );
        let method = MethodDescriptorProto {
            name: Some("Find".into()),
            input_type: Some(".o.Ask".into()),
            output_type: Some(".o.Ask".into()),
            ..MethodDescriptorProto::default()
        };
        let file = FileDescriptorProto {
            name: Some("o.proto".into()),
            package: Some("o".into()),
            dependency: vec!["google/protobuf/timestamp.proto".into()],
            message_type: vec![ask, inner],
            enum_type: vec![EnumDescriptorProto {
                name: Some("State".into()),
                value: vec![value("NONE", 0), value("OPEN", 1)],
                ..EnumDescriptorProto::default()
            }],
            service: vec![ServiceDescriptorProto {
                name: Some("Orders".into()),
                method: vec![method],
                options: None,
            }],
            syntax: Some("proto3".into()),
            ..FileDescriptorProto::default()
        };
        let mut pool = DescriptorPool::global();
        pool.add_file_descriptor_proto(file).expect("a whole file");
        Schema::new(pool, vec![])
    }

    #[test]
    fn an_example_shows_what_can_be_filled_in_and_can_be_sent() {
        let orders = orders();
        let methods = orders.methods("o.Orders");
        let [method] = methods.as_slice() else {
            panic!("one method");
        };
        assert_eq!(
            sample(&method.input()),
            json!({
                "orderId": "1",
                "state": "OPEN",
                "tags": ["a"],
                "since": "2026-01-01T00:00:00Z",
                "inner": { "exact": true },
                "byName": "a",
                "limit": 1
            })
        );
        let text = sample(&method.input()).to_string();
        assert!(orders.encode("o.Orders/Find", &text).is_ok());
    }

    #[test]
    fn every_example_of_every_known_message_is_a_message() {
        let pool = DescriptorPool::global();
        let own = |message: &MessageDescriptor| {
            let name = message.name();
            message.parent_file().name().ends_with("descriptor.proto") && !name.ends_with("Entry")
        };
        let mut checked = 0;
        for message in pool.all_messages().filter(own) {
            let example = sample(&message);
            let read = DynamicMessage::deserialize(message.clone(), &example);
            assert!(read.is_ok(), "{}: {example}: {read:?}", message.full_name());
            checked += 1;
        }
        assert!(checked > 20, "{checked}");
    }
}
