//! `/debug/pprof/`: the paths, parameters and formats of Go's net/http/pprof.
//!
//! Profiles are profile.proto without compression, which `go tool pprof` reads as well, and with
//! `debug` the same texts. What is not
//! measured answers 501 with the reason: an empty profile would say that nothing happened.

use std::future::Future;
use std::pin::Pin;

use http::StatusCode;

use super::answer::{Answer, DUMP_PATIENCE};
use super::query::Query;
use super::text;
use crate::profile::{NotMeasured, block, cpu, heap, threads};
use crate::tasks;

type Answering<'q> = Pin<Box<dyn Future<Output = Answer> + Send + 'q>>;

/// A path below `/debug/pprof/`.
struct Endpoint {
    name: &'static str,
    /// One sentence for the index.
    shows: &'static str,
    answer: for<'q> fn(Query<'q>) -> Answering<'q>,
}

/// Every endpoint; each is one line, and a function below.
const ENDPOINTS: &[Endpoint] = &[
    Endpoint {
        name: "allocs",
        shows: "all past allocations, sampled",
        answer: |query| Box::pin(allocs(query)),
    },
    Endpoint {
        name: "block",
        shows: "who blocks a worker: stacks of polls over 10 ms",
        answer: |query| Box::pin(block(query)),
    },
    Endpoint {
        name: "cmdline",
        shows: "the program; its arguments are withheld",
        answer: |query| Box::pin(cmdline(query)),
    },
    Endpoint {
        name: "goroutine",
        shows: "every registered task and where it waits; debug=1 counts, debug=2 lists",
        answer: |query| Box::pin(goroutine(query)),
    },
    Endpoint {
        name: "heap",
        shows: "live allocations, sampled",
        answer: |query| Box::pin(heap(query)),
    },
    Endpoint {
        name: "mutex",
        shows: "contention: not measured",
        answer: |query| Box::pin(mutex(query)),
    },
    Endpoint {
        name: "profile",
        shows: "CPU time; seconds=N for how long",
        answer: |query| Box::pin(cpu(query)),
    },
    Endpoint {
        name: "symbol",
        shows: "names of addresses; profiles carry theirs already",
        answer: |query| Box::pin(symbol(query)),
    },
    Endpoint {
        name: "threadcreate",
        shows: "threads of the process",
        answer: |query| Box::pin(threads(query)),
    },
    Endpoint {
        name: "trace",
        shows: "execution trace: not measured",
        answer: |query| Box::pin(trace(query)),
    },
];

pub(super) async fn answer(name: &str, query: Query<'_>) -> Answer {
    if name.is_empty() {
        return index();
    }
    match ENDPOINTS.iter().find(|endpoint| endpoint.name == name) {
        Some(endpoint) => (endpoint.answer)(query).await,
        None => Answer::Refused(StatusCode::NOT_FOUND, "Unknown profile".to_owned()),
    }
}

/// Links with counts, in the form that tools look for in Go's index.
fn index() -> Answer {
    use std::fmt::Write as _;
    let mut page = String::from(
        "<html>\n<head><title>/debug/pprof/</title></head>\n<body>\n<h1>/debug/pprof/</h1>\n\
         <p>Profiles of a Rust service, in the format of Go's. Tasks stand where Go has goroutines.</p>\n<table>\n",
    );
    for Endpoint { name, shows, .. } in ENDPOINTS {
        let debug = if *name == "goroutine" { "?debug=1" } else { "" };
        let _ = writeln!(
            page,
            "<tr><td><a href='{name}{debug}'>{name}</a></td><td>{shows}</td></tr>"
        );
    }
    let _ = write!(
        page,
        "</table>\n<p><a href='goroutine?debug=2'>full goroutine stack dump</a>: {} tasks</p>\n</body>\n</html>\n",
        tasks::registered()
    );
    Answer::Html(page)
}

async fn goroutine(query: Query<'_>) -> Answer {
    let debug = match query.number("debug", 0) {
        Ok(debug) => debug,
        Err(refusal) => return refusal,
    };
    let dump = tasks::dump(DUMP_PATIENCE).await;
    match debug {
        0 => Answer::Profile {
            name: "goroutine",
            bytes: tasks::profile(&dump),
        },
        1 => Answer::Text(tasks::counts(&dump)),
        _ => Answer::Text(tasks::goroutines(&dump)),
    }
}

async fn cmdline(_: Query<'_>) -> Answer {
    let program = std::env::args_os().next().unwrap_or_default();
    let mut text = program.to_string_lossy().into_owned();
    // Arguments hold passwords more often than anybody believes; how many there are is no secret.
    for _ in std::env::args_os().skip(1) {
        text.push_str("\0<withheld>");
    }
    Answer::Text(text)
}

/// As net/http/pprof: how many symbols there are, of which 1 is enough to say "ask". Profiles from
/// here are symbolized, so nobody asks on.
async fn symbol(_: Query<'_>) -> Answer {
    Answer::Text("num_symbols: 1\n".to_owned())
}

async fn mutex(_: Query<'_>) -> Answer {
    Answer::NotMeasured(
        "not measured: Rust's locks have no hook on stable. Who blocks a worker is at /debug/pprof/block".to_owned(),
    )
}

async fn trace(_: Query<'_>) -> Answer {
    Answer::NotMeasured(
        "not measured: an execution trace is of Go's runtime. Tasks are at /debug/pprof/goroutine?debug=2".to_owned(),
    )
}

/// The longest CPU profile: as long as a person waits.
const SECONDS_MAX: u64 = 300;

async fn cpu(query: Query<'_>) -> Answer {
    let asked = query.seconds(30, SECONDS_MAX).and_then(|time| {
        Ok((
            time,
            query.number("hz", u64::from(cpu::Options::default().hz))?,
        ))
    });
    let (time, hz) = match asked {
        Ok(asked) => asked,
        Err(refusal) => return refusal,
    };
    let options = cpu::Options {
        hz: u32::try_from(hz).unwrap_or(cpu::Options::HZ_MAX),
    };
    // Dropped with this future when the client leaves, and then it ends.
    let session = match cpu::start(options) {
        Ok(session) => session,
        Err(reason) => return not_measured(&reason),
    };
    tokio::time::sleep(time).await;
    saved("profile", Ok(session.finish()))
}

async fn heap(query: Query<'_>) -> Answer {
    of_process(query, "heap", || heap::profile(heap::Kind::Heap))
}

async fn allocs(query: Query<'_>) -> Answer {
    of_process(query, "allocs", || heap::profile(heap::Kind::Allocs))
}

async fn block(query: Query<'_>) -> Answer {
    of_process(query, "block", block::profile)
}

async fn threads(query: Query<'_>) -> Answer {
    of_process(query, "threadcreate", threads::profile)
}

/// A profile in its binary form, or as text.
fn of_process(
    query: Query<'_>,
    name: &'static str,
    profile: impl FnOnce() -> Result<Vec<u8>, NotMeasured>,
) -> Answer {
    match query.number("debug", 0) {
        Ok(0) => saved(name, profile()),
        Ok(_) => match profile().map(|bytes| text::of(name, &bytes)) {
            Ok(Some(text)) => Answer::Text(text),
            Ok(None) => Answer::Refused(
                StatusCode::INTERNAL_SERVER_ERROR,
                format!("{name} cannot be shown as text; ask without debug"),
            ),
            Err(reason) => not_measured(&reason),
        },
        Err(refusal) => refusal,
    }
}

fn saved(name: &'static str, profile: Result<Vec<u8>, NotMeasured>) -> Answer {
    match profile {
        Ok(bytes) => Answer::Profile { name, bytes },
        Err(reason) => not_measured(&reason),
    }
}

/// 501, but for what is only taken at the moment: a second CPU profile is 500, as in Go.
fn not_measured(reason: &NotMeasured) -> Answer {
    match reason {
        NotMeasured::Busy => Answer::Refused(StatusCode::INTERNAL_SERVER_ERROR, reason.to_string()),
        _ => Answer::NotMeasured(format!("not measured: {reason}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_endpoint_answers_and_stands_in_the_index() {
        let Answer::Html(page) = answer("", Query("")).await else {
            panic!("the index is a page");
        };
        for endpoint in ENDPOINTS {
            assert!(
                page.contains(&format!("'{}", endpoint.name)),
                "{}",
                endpoint.name
            );
        }
        let names: Vec<_> = ENDPOINTS.iter().map(|endpoint| endpoint.name).collect();
        assert!(
            names.is_sorted(),
            "in the order of the alphabet, so that none is there twice"
        );
    }

    #[tokio::test]
    async fn arguments_are_withheld() {
        let Answer::Text(text) = answer("cmdline", Query("")).await else {
            panic!("it is a text");
        };
        for argument in std::env::args().skip(1) {
            assert!(!text.contains(&argument), "{argument}");
        }
    }

    #[tokio::test]
    async fn what_is_not_measured_says_why() {
        for name in ["mutex", "trace"] {
            let answer = answer(name, Query("")).await;
            assert!(
                matches!(answer, Answer::NotMeasured(_)),
                "{name}: {answer:?}"
            );
        }
        assert!(matches!(
            answer("nothing", Query("")).await,
            Answer::Refused(StatusCode::NOT_FOUND, _)
        ));
    }
}
