//! Cuts what a rule said into sentences and paragraphs.

/// The first sentence, for places with room for one.
pub(crate) fn first_sentence(text: &str) -> &str {
    let line = text.lines().next().unwrap_or_default();
    line.find(". ")
        .map_or(line, |end| &line[..end])
        .trim_end_matches('.')
}

/// The lines that say something.
pub(crate) fn paragraphs(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter(|line| !line.trim().is_empty())
}
