//! One plain GET, for commands that read what a server serves without checking it.

use std::time::Duration;

use http::HeaderMap;

use super::AGENT;
use super::h1::{self, Ask, Bounds};

/// What a GET of `url` answers, if that is 200.
///
/// # Errors
/// One line for a person: what came instead. TLS is not spoken.
pub async fn get(url: &str, within: Duration, limit: usize) -> Result<Vec<u8>, String> {
    let Some(rest) = url.strip_prefix("http://") else {
        return Err(format!(
            "{url}: only http:// is spoken yet; for TLS fetch it with curl and give the file"
        ));
    };
    let at = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, target) = rest.split_at(at);
    let target = if target.starts_with('/') {
        target.to_owned()
    } else {
        format!("/{target}")
    };
    let mut headers = HeaderMap::new();
    headers.insert("user-agent", http::HeaderValue::from_static(AGENT));
    let asked = h1::ask(
        authority,
        Ask::get(&target, headers),
        Bounds::whole(limit),
        within,
    )
    .await;
    let answer = asked.map_err(|failure| format!("{url}: {failure}"))?;
    if answer.more {
        return Err(format!("{url}: more than {limit} bytes"));
    }
    if answer.status != http::StatusCode::OK {
        let said: String = answer
            .text()
            .lines()
            .next()
            .unwrap_or("")
            .chars()
            .take(200)
            .collect();
        return Err(format!("{url}: server response: {} {said}", answer.status));
    }
    Ok(answer.body.to_vec())
}
