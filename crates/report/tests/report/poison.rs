//! A report in which the service said what it was told to say, wherever it can say anything.

use serde_json::Value;
use shakedown_findings::RunReport;

use crate::samples;

/// Texts that become elements, attributes or scripts wherever they are not escaped.
pub(crate) fn markup() -> Vec<String> {
    [
        "<script>window.owned = 1</script>",
        "<img src=x onerror=window.owned=1>",
        "\" onmouseover=\"window.owned=1\" x=\"",
        "' autofocus onfocus='window.owned=1' x='",
        "</pre></code></style></script><iframe src=https://example.com></iframe>",
        "<!-- --> <![CDATA[ ]]> &lt;b&gt; &#60;b&#62; &amp;",
        "<a href=\"javascript:window.owned=1\">click</a>",
        "<svg onload=window.owned=1><style>*{display:none}</style></svg>",
        "\u{202e}drowssap\u{202c} \u{2066}\u{200b} \x1b[31mred\x07",
        "\u{5e9}\u{5dc}\u{5d5}\u{5dd}/handler.go:57",
    ]
    .map(str::to_owned)
    .to_vec()
}

/// Fields with words of our own, by which the parts of a report find each other.
const OWN: &[&str] = &[
    "code", "item", "kind", "level", "outcome", "severity", "verdict",
];

/// Puts the given texts, one after the other, into every text of a report that has everything.
pub(crate) fn poisoned(texts: &[String]) -> RunReport {
    let mut report = serde_json::to_value(samples::everything()).expect("a report has a JSON form");
    let mut texts = texts.iter().cycle();
    poison(&mut report, &mut || {
        texts.next().cloned().unwrap_or_default()
    });
    serde_json::from_value(report).expect("texts may say anything")
}

fn poison(value: &mut Value, next: &mut impl FnMut() -> String) {
    match value {
        Value::String(text) => *text = next(),
        Value::Array(values) => values.iter_mut().for_each(|value| poison(value, next)),
        Value::Object(fields) => fields
            .iter_mut()
            .filter(|(name, _)| !OWN.contains(&name.as_str()))
            .for_each(|(_, value)| poison(value, next)),
        _ => {}
    }
}
