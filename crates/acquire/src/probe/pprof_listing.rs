//! Is this net/http/pprof, and which profiles has it?
//!
//! An application may answer any path with a page of its own, so an index proves nothing: a
//! profile must come. No CPU profile and no execution trace is started here: both have one user
//! at a time.

use http::StatusCode;

use super::h1::{Answer, Failure};

/// Profiles served by handlers of their own; the index lists them even where they are missing.
const OWN_HANDLERS: [&str; 2] = ["cmdline", "symbol"];

/// What was found.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Listing {
    /// Profiles that the index lists or that answered; none if this is not pprof.
    pub(crate) profiles: Vec<String>,
    /// A path, and what stood in the way there.
    pub(crate) unclear: Option<(String, String)>,
}

/// Looks for pprof below `prefix`; `get` asks for a path.
pub(crate) async fn look(
    prefix: &str,
    mut get: impl AsyncFnMut(&str) -> Result<Answer, Failure>,
) -> Listing {
    let index = get(prefix).await;
    let mut unclear = in_the_way(prefix, &index);
    let mut profiles = index.as_ref().map(listed).unwrap_or_default();
    let is_listed = !profiles.is_empty();
    let mut proven = false;
    for (name, path) in [("goroutine", "goroutine?debug=1"), ("heap", "heap?debug=1")] {
        // One proof is enough where the index lists the rest.
        if proven && is_listed {
            continue;
        }
        let path = format!("{prefix}{path}");
        let answered = get(&path).await;
        unclear = unclear.or_else(|| in_the_way(&path, &answered));
        if answered.is_ok_and(|answer| is_profile(name, &answer)) {
            proven = true;
            add(&mut profiles, name);
        }
    }
    if !proven {
        return Listing {
            profiles: Vec::new(),
            unclear,
        };
    }
    for name in OWN_HANDLERS {
        let answered = get(&format!("{prefix}{name}")).await;
        if answered.is_ok_and(|answer| is_plain_text(&answer)) {
            add(&mut profiles, name);
        } else {
            profiles.retain(|known| known != name);
        }
    }
    Listing { profiles, unclear }
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

fn is_profile(name: &str, answer: &Answer) -> bool {
    let head = format!("{name} profile: ");
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
        assert_eq!(check(site).await.profiles, ["goroutine"]);
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
