//! Short names against google/pprof's own regular expressions.

use shakedown_pprof::short_name;

#[test]
fn names_are_shortened_as_the_original_does() {
    let vectors = include_str!("data/names/short.tsv");
    for line in vectors.lines() {
        let (name, short) = line.split_once('\t').expect("name, tab, short name");
        assert_eq!(short_name(name), short, "{name}");
    }
    assert!(vectors.lines().count() > 70);
}
