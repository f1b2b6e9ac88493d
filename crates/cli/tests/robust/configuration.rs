//! A mistake in `shakedown.toml` is told with its line and column.

use crate::said::{call, folder};

fn check(content: impl AsRef<[u8]>, says: &[&str]) {
    let folder = folder(&[("shakedown.toml", content.as_ref())]);
    let said = call(folder.path(), ["check"]);
    said.refuses(says);
    assert!(!folder.path().join(".shakedown").exists(), "{said:?}");
}

/// One service, and a line that is wrong.
fn service(line: &str) -> String {
    format!("schema = 1\n[[service]]\nname = \"orders\"\n{line}\n")
}

#[test]
fn a_mistake_is_told_with_its_place_and_what_would_be_right() {
    for (content, says) in [
        (
            "schema = 1\nservices = 2\n".to_owned(),
            &["shakedown.toml:2:1: ", "`services`", "`service`"][..],
        ),
        (
            service("requests = []"),
            &["shakedown.toml:4:1: ", "`requests`", "`request`"],
        ),
        (
            service("source = 3"),
            &["shakedown.toml:4:10: ", "integer `3`", "string"],
        ),
        (
            service("start = { cmd = \"./orders\" }"),
            &["shakedown.toml:4:17: ", "\"./orders\"", "sequence"],
        ),
        (
            service("start = { cmd = [] }"),
            &["shakedown.toml:4:17: ", "cmd = [\"./service\"]"],
        ),
        (
            service("start = { ready = \"h:80\" }"),
            &["shakedown.toml:4:19: ", "\"h:80\"", "http://"],
        ),
        (
            service("[[service]]\nname = \"orders\""),
            &["shakedown.toml:5:8: ", "\"orders\"", "line 3"],
        ),
        (
            service("[service.stop]\ngrace = \"10 bells\""),
            &["shakedown.toml:5:9: ", "\"10 bells\"", "10s"],
        ),
        (
            service("[service.stop]\ngrace = 10"),
            &["shakedown.toml:5:9: ", "integer `10`"],
        ),
        (
            service("[[service.request]]\nhttp = \"fetch\""),
            &["shakedown.toml:4:1: ", "\"fetch\"", "'GET /path'"],
        ),
        (
            service("[[service.request]]\ngrpc = \"a.B/C\"\ndata = '{'"),
            &["shakedown.toml:4:1: ", "a.B/C", "not JSON"],
        ),
        (
            service("[[service.stall]]\nname = \"db\"\nto = \"h\""),
            &["shakedown.toml:4:1: ", "stall db", "host:port"],
        ),
        (
            service("[[service.stall]]\nname = \"db\"\nto = \"h:1\"\nanswers = \"lost\""),
            &["shakedown.toml:4:1: ", "stall db", "\"lost\"", "300ms"],
        ),
        (
            service("headers = { \"a b\" = \"c\" }"),
            &["shakedown.toml:", "\"a b\""],
        ),
        (
            "schema = 2\n".to_owned(),
            &["shakedown.toml:1:10: ", "schema = 1"],
        ),
        (String::new(), &["shakedown.toml:1:1: ", "`schema`"]),
        ("schema = 1\n".to_owned(), &["no [[service]]"]),
    ] {
        check(content, says);
    }
}

#[test]
fn what_is_not_toml_at_all_is_told_where_it_begins() {
    check(
        "<!doctype html>\n<h1>Sign in</h1>\n",
        &["shakedown.toml:1:"],
    );
    check("schema = 1\n\n{{{\n", &["shakedown.toml:3:"]);
    check(b"schema = 1\nname = \"\0\"\n", &["shakedown.toml:2:"]);
    check(
        b"schema = 1\n# gr\xc3\xbc\xdfe\n",
        &["shakedown.toml:2:6: ", "0xdf", "UTF-8"],
    );
    check(
        "a = ".to_owned() + &"[".repeat(100_000),
        &["shakedown.toml:1:"],
    );
}

#[test]
fn a_file_without_end_is_not_read_to_its_end() {
    check(vec![b'#'; 2 << 20], &["shakedown.toml", "1048576"]);
    let folder = folder(&[]);
    let said = call(folder.path(), ["check", "--config", "/dev/zero"]);
    said.refuses(&["/dev/zero", "1048576", "--config FILE"]);
    let said = call(folder.path(), ["check", "--config", "."]);
    said.refuses(&[". cannot be read", "--config FILE"]);
}

#[test]
fn of_several_services_the_one_that_cannot_be_checked_is_named() {
    let several = service("[[service]]\nname = \"carts\"");
    check(&several, &["service orders", "start.cmd"]);
    let folder = folder(&[("shakedown.toml", several.as_bytes())]);
    let said = call(folder.path(), ["check", "--service", "cart"]);
    said.refuses(&["\"cart\"", "orders, carts"]);
}
