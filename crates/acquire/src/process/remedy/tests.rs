//! Messages as they were seen in the wild, and what is said to each.

use super::*;

fn of(line: &str) -> Option<String> {
    // A panic's stack follows its message.
    let stack = [
        "",
        "goroutine 1 [running]:",
        "main.main()",
        "\t/src/cmd/main.go:31 +0x1d",
        "exit status 2",
    ];
    let lines = std::iter::once(line).chain(stack).map(str::to_owned);
    remedy(&lines.collect::<Vec<_>>())
}

#[track_caller]
fn names(variable: &str, lines: &[&str]) {
    for line in lines {
        let expected = format!("set it with --env {variable}=VALUE");
        assert_eq!(of(line), Some(expected), "{line}");
    }
}

#[track_caller]
fn says(text: &str, lines: &[&str]) {
    for line in lines {
        let remedy = of(line).unwrap_or_default();
        assert!(remedy.contains(text), "{line}\n{remedy}");
    }
}

#[test]
fn configuration_libraries_name_the_variable() {
    names(
        "ORDERS_DB_URL",
        &[
            // kelseyhightower/envconfig
            "required key ORDERS_DB_URL missing value",
            "2026/11/23 08:00:00 required key ORDERS_DB_URL missing value",
            // caarlos0/env, several versions
            r#"env: required environment variable "ORDERS_DB_URL" is not set"#,
            r#"panic: env: required environment variable "ORDERS_DB_URL" is not set; environment variable "B_C" should not be empty"#,
            r#"env: environment variable "ORDERS_DB_URL" should not be empty"#,
            // sethvargo/go-envconfig
            "DatabaseURL: missing required value: ORDERS_DB_URL",
            // joeshaw/envdecode
            r#"the environment variable "ORDERS_DB_URL" is missing"#,
            // vrischmann/envconfig
            "envconfig: keys ORDERS_DB_URL, DB_URL not found",
            // Netflix/go-env
            "value for this field is required [ORDERS_DB_URL]",
            // ilyakaznacheev/cleanenv
            r#"environment variable "ORDERS_DB_URL" is required but the value is not provided"#,
            // urfave/cli
            r#"Required flag "db" not set, env ORDERS_DB_URL"#,
        ],
    );
}

#[test]
fn hand_written_checks_name_the_variable() {
    names(
        "PRODUCT_CATALOG_SERVICE_ADDR",
        &[
            r#"panic: environment variable "PRODUCT_CATALOG_SERVICE_ADDR" not set"#,
            "panic: PRODUCT_CATALOG_SERVICE_ADDR environment variable is not set",
            "FATAL: PRODUCT_CATALOG_SERVICE_ADDR is required",
            "missing PRODUCT_CATALOG_SERVICE_ADDR env",
            "Missing required environment variable: PRODUCT_CATALOG_SERVICE_ADDR",
            "log.Fatal: $PRODUCT_CATALOG_SERVICE_ADDR must be set",
            "please set PRODUCT_CATALOG_SERVICE_ADDR",
            "error: PRODUCT_CATALOG_SERVICE_ADDR cannot be empty",
            "no value for PRODUCT_CATALOG_SERVICE_ADDR",
            "could not find PRODUCT_CATALOG_SERVICE_ADDR in environment",
            "PRODUCT_CATALOG_SERVICE_ADDR env var is unset",
            "env PRODUCT_CATALOG_SERVICE_ADDR isn't set",
            "config: PRODUCT_CATALOG_SERVICE_ADDR: must be specified",
            "You need to set PRODUCT_CATALOG_SERVICE_ADDR!",
            r#"{"level":"fatal","ts":1763884800.1,"msg":"environment variable \"PRODUCT_CATALOG_SERVICE_ADDR\" not set"}"#,
            r#"{"severity":"ERROR","message":"PRODUCT_CATALOG_SERVICE_ADDR is not set"}"#,
            r#"time="2026-11-23T08:00:00Z" level=fatal msg="PRODUCT_CATALOG_SERVICE_ADDR must not be empty""#,
            "\u{1b}[31mFTL\u{1b}[0m missing env PRODUCT_CATALOG_SERVICE_ADDR",
        ],
    );
    names(
        "PORT",
        &[
            "$PORT must be set",
            r#"environment variable "PORT" not set"#,
            "missing env: PORT",
        ],
    );
    names("DSN", &["required key DSN missing value"]);
}

#[test]
fn a_taken_port_is_named() {
    says(
        "port 8080 is taken",
        &[
            "listen tcp :8080: bind: address already in use",
            "panic: listen tcp 127.0.0.1:8080: bind: address already in use",
            "failed to listen: listen tcp4 0.0.0.0:8080: bind: address already in use",
            "listen tcp [::]:8080: bind: address already in use",
            r#"{"level":"fatal","error":"listen tcp :8080: bind: address already in use"}"#,
        ],
    );
    says("end the process", &["bind: address already in use"]);
    says(
        "/run/o.sock",
        &["listen unix /run/o.sock: bind: address already in use"],
    );
    says("above 1023", &["listen tcp :80: bind: permission denied"]);
    says(
        "10.9.9.9:80",
        &["listen tcp 10.9.9.9:80: bind: cannot assign requested address"],
    );
}

#[test]
fn an_absent_dependency_is_named() {
    says(
        "127.0.0.1:5432",
        &[
            "dial tcp 127.0.0.1:5432: connect: connection refused",
            "panic: failed to connect to `host=127.0.0.1 user=a`: dial error (dial tcp 127.0.0.1:5432: connect: connection refused)",
            r#"rpc error: code = Unavailable desc = connection error: desc = "transport: Error while dialing: dial tcp 127.0.0.1:5432: connect: connection refused""#,
            r#"{"level":"fatal","error":"dial tcp 127.0.0.1:5432: connect: connection refused"}"#,
            "redis: 127.0.0.1:5432 connection refused",
            "dial tcp 127.0.0.1:5432: i/o timeout",
        ],
    );
    says(
        "[::1]:6379",
        &["dial tcp [::1]:6379: connect: connection refused"],
    );
    says(
        "postgres ",
        &["dial tcp: lookup postgres on 10.0.0.2:53: no such host"],
    );
    says("postgres ", &["dial tcp: lookup postgres: no such host"]);
}

#[test]
fn an_absent_file_is_named() {
    says(
        "config.yaml is not there",
        &[
            "open config.yaml: no such file or directory",
            "panic: read config: open config.yaml: no such file or directory",
            "stat config.yaml: no such file or directory",
            r#"{"level":"fatal","error":"open config.yaml: no such file or directory"}"#,
        ],
    );
    says(
        "config is not there",
        &[r#"Config File "config" Not Found in "[/app /etc/app]""#],
    );
    says(
        "dig is not installed",
        &[r#"exec: "dig": executable file not found in $PATH"#],
    );
    says(
        "/etc/tls/key.pem may not be used",
        &["open /etc/tls/key.pem: permission denied"],
    );
    says("-prot", &["flag provided but not defined: -prot"]);
    says("--prot", &["Error: unknown flag: --prot"]);
    says(
        "libpq.so.5",
        &[
            "./o: error while loading shared libraries: libpq.so.5: cannot open shared object file: No such file or directory",
        ],
    );
}

#[test]
fn what_names_nothing_gives_nothing() {
    for line in [
        "",
        "panic: runtime error: invalid memory address or nil pointer dereference",
        "panic: runtime error: index out of range [3] with length 3",
        "fatal error: all goroutines are asleep - deadlock!",
        "rpc error: code = NotFound desc = NOT_FOUND",
        "order 42 not found",
        "ERROR user not found in DB",
        "signal: killed",
        "JAEGER_ENDPOINT not set, tracing disabled",
        "LOG_LEVEL is not set; using the default",
        "WARN missing header X-Request-ID",
    ] {
        assert_eq!(of(line), None, "{line}");
    }
}

#[test]
fn the_last_cause_counts() {
    let lines = ["LOG_FILE is missing", "panic: DB_URL is missing"].map(str::to_owned);
    assert_eq!(
        remedy(&lines).as_deref(),
        Some("set it with --env DB_URL=VALUE")
    );
}
