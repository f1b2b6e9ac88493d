//! Is this net/http/pprof, and which profiles has it?
//!
//! An application may answer any path with a page of its own, so an index proves nothing: a
//! profile must come. Where one does, every other endpoint is asked once, in its text form, which
//! is cheap and says first what it is. No CPU profile and no execution trace is started here: both
//! have one user at a time, and are asked for over the whole window later.

use bytes::Bytes;
use http::StatusCode;
use shakedown_evidence::{EndpointAnswer, EndpointAsked};

use super::h1::{Answer, Failure};

/// Endpoints that answer at once, and how the text of each begins. The runtime calls two of them by
/// older names.
const TEXTS: [(&str, &str); 6] = [
    ("goroutine", "goroutine profile: "),
    ("heap", "heap profile: "),
    ("allocs", "heap profile: "),
    ("block", "--- contention:"),
    ("mutex", "--- mutex:"),
    ("threadcreate", "threadcreate profile: "),
];
/// Either of them proves that this is pprof: no page begins like that by chance.
const PROOFS: usize = 2;
/// Endpoints with handlers of their own; the index lists them even where they are missing.
const OWN_HANDLERS: [&str; 2] = ["cmdline", "symbol"];
/// Name under which the index itself is recorded.
const INDEX: &str = "index";

/// What was found.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Listing {
    /// Profiles that the index lists or that answered; none if this is not pprof.
    pub(crate) profiles: Vec<String>,
    /// What each endpoint answered; none if this is not pprof.
    pub(crate) asked: Vec<EndpointAsked>,
    /// The command line as `cmdline` shows it: words separated by zero bytes.
    pub(crate) cmdline: Option<Bytes>,
    /// A path, and what stood in the way there.
    pub(crate) unclear: Option<(String, String)>,
}

/// Looks for pprof below `prefix`; `get` asks for a path.
pub(crate) async fn look(
    prefix: &str,
    mut get: impl AsyncFnMut(&str) -> Result<Answer, Failure>,
) -> Listing {
    let index = get(prefix).await;
    let mut listing = Listing {
        profiles: index.as_ref().map(listed).unwrap_or_default(),
        unclear: in_the_way(prefix, &index),
        ..Listing::default()
    };
    let works = index.as_ref().is_ok_and(is_index);
    listing.asked.push(asked(INDEX, &index, works));
    let mut proven = false;
    for (position, (name, head)) in TEXTS.into_iter().enumerate() {
        if position == PROOFS && !proven {
            break;
        }
        let path = format!("{prefix}{name}?debug=1");
        let answered = get(&path).await;
        let works = answered
            .as_ref()
            .is_ok_and(|answer| is_profile(head, answer));
        if position < PROOFS {
            listing.unclear = listing.unclear.or_else(|| in_the_way(&path, &answered));
            proven |= works;
        }
        if works {
            add(&mut listing.profiles, name);
        }
        listing.asked.push(asked(name, &answered, works));
    }
    if !proven {
        return Listing {
            unclear: listing.unclear,
            ..Listing::default()
        };
    }
    for name in OWN_HANDLERS {
        let answered = get(&format!("{prefix}{name}")).await;
        let works = answered.as_ref().is_ok_and(is_plain_text);
        if works {
            add(&mut listing.profiles, name);
        } else {
            listing.profiles.retain(|known| known != name);
        }
        listing.asked.push(asked(name, &answered, works));
        if name == "cmdline" && works {
            listing.cmdline = answered.ok().map(|answer| answer.body);
        }
    }
    listing
}

/// What an endpoint answered, in the terms of the evidence.
fn asked(name: &str, answered: &Result<Answer, Failure>, works: bool) -> EndpointAsked {
    let answer = match answered {
        Ok(_) if works => EndpointAnswer::Works,
        Ok(answer) => match answer.status.as_u16() {
            status @ (404 | 405 | 501) => EndpointAnswer::Absent { status },
            401 | 403 | 429 => EndpointAnswer::Unseen {
                why: format!("answered {}", answer.status),
            },
            200 => EndpointAnswer::Broken {
                what: format!("answered `{}`", first_line(answer)),
            },
            _ => EndpointAnswer::Broken {
                what: format!("answered {}", answer.status),
            },
        },
        Err(failure @ (Failure::Empty | Failure::Cut { .. } | Failure::NotHttp(_))) => {
            EndpointAnswer::Broken {
                what: failure.to_string(),
            }
        }
        Err(failure) => EndpointAnswer::Unseen {
            why: failure.to_string(),
        },
    };
    EndpointAsked {
        name: name.to_owned(),
        answer,
    }
}

fn first_line(answer: &Answer) -> String {
    let text = answer.text();
    let line = text.lines().next().unwrap_or_default();
    line.chars().filter(|c| !c.is_control()).take(60).collect()
}

/// Pages of their own are fine as long as they show the way to the profiles.
fn is_index(answer: &Answer) -> bool {
    answer.status == StatusCode::OK && answer.text().contains("goroutine")
}

fn add(profiles: &mut Vec<String>, name: &str) {
    if !profiles.iter().any(|known| known == name) {
        profiles.push(name.to_owned());
    }
}

/// Why an answer proves neither that pprof is there nor that it is not.
fn in_the_way(path: &str, answer: &Result<Answer, Failure>) -> Option<(String, String)> {
    let why = match answer.as_ref().map(|answer| answer.status) {
        Err(failure) => format!("{failure}; does a handler hang there, or is the service busy?"),
        Ok(status @ (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN)) => {
            format!("answered {status}; give credentials with `headers`")
        }
        Ok(_) => return None,
    };
    Some((path.to_owned(), why))
}

/// Names that the index links to: `<a href='goroutine?debug=1'>`.
fn listed(index: &Answer) -> Vec<String> {
    let mut names = Vec::new();
    if index.status != StatusCode::OK {
        return names;
    }
    for link in index.text().split("href=").skip(1) {
        let mut inside = link.chars();
        let quote = inside.next().filter(|quote| matches!(quote, '\'' | '"'));
        let target = quote.and_then(|quote| inside.as_str().split(quote).next());
        let name = target
            .and_then(|target| target.split('?').next())
            .unwrap_or_default();
        // Links of another page lead elsewhere: profiles have plain names.
        let is_plain = name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
        if !name.is_empty() && is_plain {
            add(&mut names, name);
        }
    }
    // Every Go runtime has this one.
    if names.iter().any(|name| name == "goroutine") {
        names
    } else {
        Vec::new()
    }
}

fn is_profile(head: &str, answer: &Answer) -> bool {
    let is_text = answer.body.starts_with(head.as_bytes());
    // A service in another language may know the binary form only.
    let is_gzip =
        answer.body.starts_with(&[0x1f, 0x8b]) && !answer.headers.contains_key("content-encoding");
    answer.status == StatusCode::OK && (is_text || is_gzip)
}

fn is_plain_text(answer: &Answer) -> bool {
    answer.status == StatusCode::OK && answer.content_type().starts_with("text/plain")
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn answer(status: u16, kind: &'static str, body: &str) -> Answer {
        let mut headers = http::HeaderMap::new();
        headers.insert("content-type", http::HeaderValue::from_static(kind));
        Answer {
            status: StatusCode::from_u16(status).expect("a status"),
            headers,
            body: Bytes::copy_from_slice(body.as_bytes()),
            more: false,
        }
    }

    async fn check(site: impl Fn(&str) -> Answer) -> Listing {
        look("/p/", async |path: &str| Ok(site(path))).await
    }

    #[tokio::test]
    async fn a_page_that_answers_everything_is_not_pprof() {
        let page = |_: &str| answer(200, "text/html", "<html><a href='goroutine?debug=1'>x</a>");
        assert_eq!(check(page).await, Listing::default());
        let text = |_: &str| answer(200, "text/plain", "ok");
        assert_eq!(check(text).await, Listing::default());
    }

    #[tokio::test]
    async fn an_index_without_its_own_handlers_lists_what_it_serves() {
        let site = |path: &str| match path {
            "/p/" => answer(
                200,
                "text/html",
                "<a href='cmdline?debug=1'>cmdline</a><a href='goroutine?debug=1'>goroutine</a><a href='/home'>x</a>",
            ),
            "/p/goroutine?debug=1" => answer(200, "text/plain", "goroutine profile: total 3\n"),
            _ => answer(404, "text/plain", "Unknown profile"),
        };
        let listing = check(site).await;
        assert_eq!(listing.profiles, ["goroutine"]);
        let absent = |name: &str| EndpointAsked {
            name: name.into(),
            answer: EndpointAnswer::Absent { status: 404 },
        };
        let works = |name: &str| EndpointAsked {
            name: name.into(),
            answer: EndpointAnswer::Works,
        };
        let rest = [
            "heap",
            "allocs",
            "block",
            "mutex",
            "threadcreate",
            "cmdline",
            "symbol",
        ];
        let mut all = vec![works("index"), works("goroutine")];
        all.extend(rest.map(absent));
        assert_eq!(listing.asked, all);
    }

    #[tokio::test]
    async fn what_an_endpoint_answered_is_told_apart() {
        let site = |path: &str| match path {
            "/p/" => answer(404, "text/plain", ""),
            "/p/goroutine?debug=1" => answer(200, "text/plain", "goroutine profile: total 3\n"),
            "/p/heap?debug=1" => answer(200, "text/html", "<h1>Shop</h1>\nx"),
            "/p/allocs?debug=1" => answer(500, "text/plain", ""),
            "/p/block?debug=1" => answer(200, "text/plain", "--- contention:\n"),
            "/p/mutex?debug=1" => answer(403, "text/plain", ""),
            "/p/cmdline" => answer(200, "text/plain", "./orders\0-v"),
            _ => answer(404, "text/plain", ""),
        };
        let listing = check(site).await;
        let answers: Vec<&EndpointAnswer> =
            listing.asked.iter().map(|asked| &asked.answer).collect();
        let absent = EndpointAnswer::Absent { status: 404 };
        let broken = |what: &str| EndpointAnswer::Broken { what: what.into() };
        let why = "answered 403 Forbidden".to_owned();
        assert_eq!(
            answers,
            [
                &absent,
                &EndpointAnswer::Works,
                &broken("answered `<h1>Shop</h1>`"),
                &broken("answered 500 Internal Server Error"),
                &EndpointAnswer::Works,
                &EndpointAnswer::Unseen { why },
                &absent,
                &EndpointAnswer::Works,
                &absent,
            ]
        );
        assert_eq!(listing.cmdline.as_deref(), Some(&b"./orders\0-v"[..]));
    }

    #[tokio::test]
    async fn a_refusal_is_told() {
        let listing = check(|_: &str| answer(401, "text/plain", "no")).await;
        assert!(
            listing.unclear.is_some_and(|(_, why)| why.contains("401")),
            "the status is shown"
        );
    }

    #[tokio::test]
    async fn no_answer_is_told_and_is_not_taken_for_an_absence() {
        let hangs = async |_: &str| Err(Failure::Silent(std::time::Duration::from_secs(2)));
        let listing = look("/p/", hangs).await;
        assert_eq!(listing.profiles, [""; 0]);
        let (path, why) = listing.unclear.expect("the reason");
        assert_eq!(path, "/p/");
        assert!(why.starts_with("no answer within 2s"), "{why}");
    }
}
