//! Grouping by template, caller, logger and format, within a bound.

use shakedown_evidence::log::{OVERFLOW, ParsedLine, Templates};

fn read(lines: &[&str]) -> Vec<ParsedLine> {
    lines.iter().map(|line| ParsedLine::read(line)).collect()
}

#[test]
fn lines_of_one_statement_are_one_group() {
    let lines = read(&[
        r#"{"level":"info","ts":1,"caller":"a.go:1","msg":"order 1 stored"}"#,
        r#"{"level":"info","ts":2,"caller":"a.go:1","msg":"order 2 stored","trace_id":"4bf92f3577b34da6a3ce929d0e0e4736"}"#,
        r#"{"level":"info","ts":3,"caller":"a.go:2","msg":"order 3 stored"}"#,
        r#"{"level":"info","ts":4,"logger":"x","caller":"a.go:1","msg":"order 4 stored"}"#,
        "order 5 stored",
        "order 6 stored",
    ]);
    let groups = Templates::group(&lines);
    let members: Vec<_> = groups.iter().map(|group| group.members.clone()).collect();
    assert_eq!(members, [vec![0, 1], vec![2], vec![3], vec![4, 5]]);
    assert!(
        groups
            .iter()
            .all(|group| group.template == "order * stored" && group.count == group.members.len())
    );
    assert_eq!(groups[0].caller.as_ref().map(|caller| caller.line), Some(1));
}

#[test]
fn too_many_groups_share_the_last() {
    let mut templates = Templates::up_to(2);
    for (member, line) in read(&["aa", "bb", "cc", "dd", "aa"]).iter().enumerate() {
        templates.add(member * 10, line);
    }
    let groups = templates.groups();
    let seen: Vec<_> = groups
        .iter()
        .map(|group| (group.template.as_str(), group.members.clone()))
        .collect();
    assert_eq!(
        seen,
        [
            ("aa", vec![0, 40]),
            ("bb", vec![10]),
            (OVERFLOW, vec![20, 30])
        ]
    );
}
