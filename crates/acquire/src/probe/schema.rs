//! From a method's name and JSON to the bytes of its request, with errors that help.

use bytes::Bytes;
use prost::Message;
use prost_reflect::{
    DescriptorPool, DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, MethodDescriptor,
};
use serde_json::Value;

/// Lists in errors are cut here: a screenful.
const SHOWN: usize = 30;

/// The services, methods and messages of a server.
#[derive(Debug, Clone)]
pub struct Schema {
    pool: DescriptorPool,
    services: Vec<String>,
}

/// Why a request cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SchemaError {
    /// The method's name has no service.
    #[error("`{method}` is not a method's name; write it as package.Service/Method")]
    NotAMethod {
        /// As given.
        method: String,
    },
    /// The server has no such service.
    #[error("no service `{service}` here; the server lists {}", listed(services))]
    UnknownService {
        /// As given.
        service: String,
        /// What there is.
        services: Vec<String>,
    },
    /// The service has no such method.
    #[error(
        "service `{service}` has no method `{method}`; it has {}",
        listed(methods)
    )]
    UnknownMethod {
        /// Its service.
        service: String,
        /// As given.
        method: String,
        /// What there is.
        methods: Vec<String>,
    },
    /// The method wants a stream of requests.
    #[error(
        "`{method}` takes a stream of requests; only unary and server-streaming methods can be called"
    )]
    ClientStreaming {
        /// Its name.
        method: String,
    },
    /// The data is not JSON.
    #[error("the data is not JSON: {why}")]
    NotJson {
        /// The parser's words, with line and column.
        why: String,
    },
    /// A message has no such field.
    #[error(
        "message `{message}` has no field `{field}`; it has {}",
        listed(fields)
    )]
    UnknownField {
        /// The message that was to have it.
        message: String,
        /// As given.
        field: String,
        /// What there is.
        fields: Vec<String>,
    },
    /// A value does not fit.
    #[error("the data does not fit message `{message}`: {why}")]
    BadValue {
        /// The request's message.
        message: String,
        /// What does not fit, with line and column.
        why: String,
    },
}

impl Schema {
    /// A schema of these descriptors, for a server that lists these services.
    #[must_use]
    pub fn new(pool: DescriptorPool, services: Vec<String>) -> Self {
        Self { pool, services }
    }

    /// The services that the server lists.
    #[must_use]
    pub fn services(&self) -> &[String] {
        &self.services
    }

    /// The bytes of a request: `method` as `package.Service/Method`, `json` its message.
    ///
    /// # Errors
    /// There is no such method, or the JSON is not its message.
    pub fn encode(&self, method: &str, json: &str) -> Result<Bytes, SchemaError> {
        let message = self.method(method)?.input();
        let json = if json.trim().is_empty() { "{}" } else { json };
        let value: Value = serde_json::from_str(json).map_err(|error| SchemaError::NotJson {
            why: error.to_string(),
        })?;
        check_fields(&value, &message)?;
        let mut reader = serde_json::Deserializer::from_str(json);
        let request =
            DynamicMessage::deserialize(message.clone(), &mut reader).map_err(|error| {
                SchemaError::BadValue {
                    message: message.full_name().to_owned(),
                    why: error.to_string(),
                }
            })?;
        Ok(request.encode_to_vec().into())
    }

    /// The methods of a service that can be called: those that take one message.
    pub(crate) fn methods(&self, service: &str) -> Vec<MethodDescriptor> {
        let found = self.pool.get_service_by_name(service);
        let methods = found
            .iter()
            .flat_map(prost_reflect::ServiceDescriptor::methods);
        methods
            .filter(|method| !method.is_client_streaming())
            .collect()
    }

    fn method(&self, method: &str) -> Result<MethodDescriptor, SchemaError> {
        let (service, name) = split(method)?;
        let Some(found) = self.pool.get_service_by_name(service) else {
            return Err(SchemaError::UnknownService {
                service: service.to_owned(),
                services: self.services.clone(),
            });
        };
        let method = found.methods().find(|known| known.name() == name);
        let Some(method) = method else {
            return Err(SchemaError::UnknownMethod {
                service: service.to_owned(),
                method: name.to_owned(),
                methods: found
                    .methods()
                    .map(|known| known.name().to_owned())
                    .collect(),
            });
        };
        if method.is_client_streaming() {
            let method = method.full_name().to_owned();
            return Err(SchemaError::ClientStreaming { method });
        }
        Ok(method)
    }
}

/// Service and method of `package.Service/Method`; a leading slash is forgiven.
pub(crate) fn split(method: &str) -> Result<(&str, &str), SchemaError> {
    let whole = method.strip_prefix('/').unwrap_or(method);
    match whole.split_once('/') {
        Some((service, name)) if !service.is_empty() && !name.is_empty() && !name.contains('/') => {
            Ok((service, name))
        }
        _ => Err(SchemaError::NotAMethod {
            method: method.to_owned(),
        }),
    }
}

/// Finds the first field that its message does not have. Values are checked afterwards, by the
/// decoder, whose own error for this case names neither the message nor its fields.
fn check_fields(value: &Value, message: &MessageDescriptor) -> Result<(), SchemaError> {
    // Well-known types have a JSON of their own: timestamps are texts, Struct is any object.
    let (Value::Object(given), false) =
        (value, message.full_name().starts_with("google.protobuf."))
    else {
        return Ok(());
    };
    for (name, value) in given {
        let field = message
            .get_field_by_json_name(name)
            .or_else(|| message.get_field_by_name(name));
        match field {
            Some(field) => check_value(value, &field)?,
            // `[package.extension]`
            None if name.starts_with('[') => {}
            None => {
                return Err(SchemaError::UnknownField {
                    message: message.full_name().to_owned(),
                    field: name.clone(),
                    fields: message
                        .fields()
                        .map(|known| known.json_name().to_owned())
                        .collect(),
                });
            }
        }
    }
    Ok(())
}

fn check_value(value: &Value, field: &FieldDescriptor) -> Result<(), SchemaError> {
    let Kind::Message(message) = field.kind() else {
        return Ok(());
    };
    match value {
        Value::Object(entries) if field.is_map() => {
            let Kind::Message(of) = message.map_entry_value_field().kind() else {
                return Ok(());
            };
            entries
                .values()
                .try_for_each(|value| check_fields(value, &of))
        }
        Value::Array(values) => values
            .iter()
            .try_for_each(|value| check_fields(value, &message)),
        value => check_fields(value, &message),
    }
}

fn listed(names: &[String]) -> String {
    if names.is_empty() {
        return "none".to_owned();
    }
    let shown: Vec<&str> = names.iter().take(SHOWN).map(String::as_str).collect();
    let more = names.len().saturating_sub(SHOWN);
    let shown = shown.join(", ");
    if more == 0 {
        shown
    } else {
        format!("{shown} and {more} more")
    }
}
