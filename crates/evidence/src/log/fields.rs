//! What the named fields of one line say, whatever syntax they came in.
//!
//! Where a name comes twice, the first message, level and time count (loggers write their own
//! before those of the caller) and the last id (the inner logger is added last).

use std::net::{IpAddr, SocketAddr};

use super::id::{self, Id, Ids};
use super::json::{Broken, Members, Value};
use super::level::Level;
use super::names::{Folded, Form, Meaning, id_meaning, meaning};
use super::parsed::Caller;
use super::timestamp;

/// Objects inside objects that are looked into: `log.origin.file.name` is the deepest name.
const DEPTH_MAX: usize = 4;

/// Longest field that is kept as it is, apart from the message.
const FIELD_MAX: usize = 512;

/// Endings of source files: `file` also names uploads, and `source` hosts with a port.
const SOURCE_ENDINGS: [&str; 10] = [
    ".go", ".rs", ".py", ".java", ".kt", ".js", ".ts", ".rb", ".cs", ".cpp",
];

/// What a line says of the request that it reports.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Exchange {
    /// HTTP method, or whatever the field `method` holds.
    pub method: Option<String>,
    /// Path or URL.
    pub path: Option<String>,
    /// HTTP status.
    pub status: Option<u16>,
    /// gRPC method.
    pub rpc: Option<String>,
    /// gRPC status.
    pub rpc_code: Option<String>,
    /// Address and port of the peer.
    pub peer: Option<SocketAddr>,
}

/// An id with how good it is.
type Ranked = Option<((u8, Form), Id)>;

/// Fields of one line, gathered one by one.
#[derive(Debug, Default)]
pub(super) struct Fields {
    pub(super) level: Option<Level>,
    /// The level was written in upper case.
    pub(super) level_is_upper: bool,
    pub(super) unix_ns: Option<u64>,
    pub(super) logger: Option<String>,
    pub(super) exchange: Exchange,
    message: Option<(u8, String)>,
    trace: Ranked,
    span: Ranked,
    /// Ids of the spans that are listed around the line.
    around: (Ranked, Ranked),
    file: Option<String>,
    line: Option<u32>,
    function: Option<String>,
    peer_ip: Option<IpAddr>,
    peer_port: Option<u16>,
}

impl Fields {
    /// Reads all members of an object, and of those objects in it that speak of the line itself;
    /// gives what follows it.
    ///
    /// # Errors
    ///
    /// The object ends too early; what came before the end was read.
    pub(super) fn object<'a>(
        &mut self,
        mut members: Members<'a>,
        mut seen: impl FnMut(&str),
    ) -> Result<&'a str, Broken> {
        for member in members.by_ref() {
            let (key, value) = member?;
            seen(&key);
            self.member(&Folded::EMPTY, &key, &value, 0);
        }
        Ok(members.rest())
    }

    fn member(&mut self, path: &Folded, key: &str, value: &Value<'_>, depth: usize) {
        match value {
            Value::Text(text) => self.add(path, key, text),
            Value::Number(text) => self.add(path, key, text),
            Value::Object(object) => {
                let Some(path) = path.join(key).filter(Folded::is_container) else {
                    return;
                };
                if depth < DEPTH_MAX {
                    for (key, value) in Members::of(object).map_while(Result::ok) {
                        self.member(&path, &key, &value, depth + 1);
                    }
                }
            }
            Value::Array(list) if path.as_str().is_empty() && key == "spans" => {
                self.spans_around(list);
            }
            Value::Array(_) | Value::Other => {}
        }
    }

    /// Rust's tracing lists the spans around a line, outermost first, each with its fields: ids
    /// that were put on the outermost belong to all lines inside.
    fn spans_around(&mut self, list: &str) {
        let mut rest = list.strip_prefix('[').unwrap_or_default();
        while rest.trim_start().starts_with('{') {
            let mut members = Members::of(rest);
            for (key, value) in members.by_ref().map_while(Result::ok) {
                let (Value::Text(value), Some(said)) = (value, id_meaning(&key)) else {
                    continue;
                };
                match said {
                    Meaning::Trace(form) => better(&mut self.around.0, read_id(&value, form), form),
                    Meaning::Span(form) => better(&mut self.around.1, read_id(&value, form), form),
                    _ => {}
                }
            }
            rest = members.rest().trim_start();
            rest = rest.strip_prefix(',').unwrap_or_default();
        }
    }

    /// The line is one of Rust's tracing, so what its spans say is its own.
    pub(super) fn take_spans_around(&mut self) {
        let (trace, span) = std::mem::take(&mut self.around);
        self.trace = self.trace.take().or(trace);
        self.span = self.span.take().or(span);
    }

    fn add(&mut self, path: &Folded, key: &str, value: &str) {
        match meaning(path, key) {
            Some(meaning) => self.take(meaning, value),
            // Members of "fields" are the line's own (logrus' DataKey, Rust's tracing), but what
            // the logger itself writes stands outside.
            None if path.as_str() == "fields" => {
                let said = meaning(&Folded::EMPTY, key).filter(|said| said.is_said_anywhere());
                said.into_iter().for_each(|said| self.take(said, value));
            }
            None => {}
        }
    }

    /// Takes a field that stands by itself.
    pub(super) fn pair(&mut self, key: &str, value: &str) {
        self.add(&Folded::EMPTY, key, value);
    }

    /// Takes a field of which the meaning is known.
    pub(super) fn take(&mut self, meaning: Meaning, value: &str) {
        match meaning {
            Meaning::Level if self.level.is_none() => {
                self.level = Level::read(value);
                self.level_is_upper = value.starts_with(|c: char| c.is_ascii_uppercase());
            }
            Meaning::Level => {}
            Meaning::Message(rank) => {
                if self.message.as_ref().is_none_or(|(known, _)| rank < *known) {
                    self.message = Some((rank, value.to_owned()));
                }
            }
            Meaning::Time => self.unix_ns = self.unix_ns.or_else(|| timestamp::of_text(value)),
            Meaning::Logger => set(&mut self.logger, value),
            Meaning::Caller => {
                if let Some((file, line)) = file_and_line(value) {
                    set(&mut self.file, file);
                    self.line = self.line.or(Some(line));
                }
            }
            Meaning::File => match file_and_line(value) {
                Some(_) => self.take(Meaning::Caller, value),
                None if is_source(value) => set(&mut self.file, value),
                None => {}
            },
            Meaning::Line => self.line = self.line.or_else(|| value.parse().ok()),
            Meaning::Function => set(&mut self.function, value),
            Meaning::Trace(form) => match id::pair(value).filter(|both| both.trace.is_some()) {
                Some(both) => self.both(both, form),
                None => better(&mut self.trace, read_id(value, form), form),
            },
            Meaning::Span(form) => better(&mut self.span, read_id(value, form), form),
            Meaning::Pair => {
                if let Some(both) = id::pair(value) {
                    self.both(both, Form::Vendor);
                }
            }
            Meaning::Method => set(&mut self.exchange.method, value),
            Meaning::Path => set(&mut self.exchange.path, value),
            Meaning::Status => {
                self.exchange.status = self.exchange.status.or_else(|| status(value));
            }
            Meaning::Rpc => set(&mut self.exchange.rpc, value),
            Meaning::RpcCode => set(&mut self.exchange.rpc_code, value),
            Meaning::Peer => {
                self.exchange.peer = self.exchange.peer.or_else(|| value.parse().ok());
                self.peer_ip = self.peer_ip.or_else(|| value.parse().ok());
            }
            Meaning::PeerPort => self.peer_port = self.peer_port.or_else(|| value.parse().ok()),
        }
    }

    /// Takes both ids at once.
    pub(super) fn both(&mut self, ids: Ids, form: Form) {
        better(&mut self.trace, ids.trace, form);
        better(&mut self.span, ids.span, form);
    }

    pub(super) fn has_message(&self) -> bool {
        self.message.is_some()
    }

    pub(super) fn message(&mut self) -> Option<String> {
        self.message.take().map(|(_, message)| message)
    }

    pub(super) fn ids(&mut self) -> Ids {
        Ids {
            trace: self.trace.take().map(|(_, id)| id),
            span: self.span.take().map(|(_, id)| id),
        }
    }

    pub(super) fn caller(&mut self) -> Option<Caller> {
        let (file, line) = (self.file.take()?, self.line?);
        let function = self.function.take();
        Some(Caller {
            file,
            line,
            function,
        })
    }

    pub(super) fn exchange(&mut self) -> Exchange {
        let mut exchange = std::mem::take(&mut self.exchange);
        let apart = self.peer_ip.zip(self.peer_port).map(SocketAddr::from);
        exchange.peer = exchange.peer.or(apart);
        exchange
    }
}

fn read_id(value: &str, form: Form) -> Option<Id> {
    match form {
        Form::Strict => Id::read_strict(value).or_else(|| {
            let google = value.contains("/traces/");
            google.then(|| Id::read(value)).flatten()
        }),
        Form::Decimal => Id::read_decimal(value),
        Form::Vendor | Form::Own => Id::read(value),
    }
}

/// Keeps the better id: W3C before foreign, full before half, the surer name, the later one.
fn better(known: &mut Ranked, found: Option<Id>, form: Form) {
    let Some(found) = found else { return };
    let quality = match found {
        Id::Full(_) => 2,
        Id::Low(_) => 1,
        Id::Foreign(_) => 0,
    };
    let rank = (quality, form);
    if known.as_ref().is_none_or(|(known, _)| rank >= *known) {
        *known = Some((rank, found));
    }
}

/// Sets what is not set yet, within the bound for fields.
fn set(field: &mut Option<String>, value: &str) {
    if field.is_none() && !value.is_empty() {
        *field = Some(value.chars().take(FIELD_MAX).collect());
    }
}

fn status(value: &str) -> Option<u16> {
    let status = value.parse().ok()?;
    (100..600).contains(&status).then_some(status)
}

fn is_source(file: &str) -> bool {
    SOURCE_ENDINGS.iter().any(|ending| file.ends_with(ending))
}

/// Reads `dir/file.go:12`.
pub(super) fn file_and_line(text: &str) -> Option<(&str, u32)> {
    let (file, line) = text.rsplit_once(':')?;
    let digits = !line.is_empty() && line.bytes().all(|byte| byte.is_ascii_digit());
    let named = is_source(file) && !file.contains([' ', '\t', '"', '(']);
    let line = line.parse().ok().filter(|_| digits && named)?;
    Some((file, line))
}
