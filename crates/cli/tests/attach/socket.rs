//! Listeners that are files.

use shakedown_testkit::{Service, orders};

use crate::expected::{STOP_BY_ADDRESS, asks, check, run};
use crate::outside::Outside;

/// `orders`, with other words for its listeners.
fn listening(replaced: &[(&str, &str)]) -> Service {
    let script = replaced
        .iter()
        .fold(String::new(), |script, (flag, address)| {
            format!("{script} {flag} {address}")
        });
    // Of a flag that stands twice Go takes the later one.
    orders(&[]).behind(&["sh", "-c", &format!(r#"exec "$0" "$@" {script}"#)])
}

#[test]
fn a_started_service_on_unix_sockets_is_ready() {
    let config = listening(&[
        ("-admin", "unix:admin.sock"),
        ("-http", "unix:web.sock"),
        ("-grpc", "unix:rpc.sock"),
    ]);
    let ended = run().config(&config).end();
    check(&ended, "READY", &[]);
    let listeners = ended.report()["target"]["listeners"].to_string();
    for listener in [
        "unix:admin.sock pprof",
        "unix:web.sock http",
        "unix:rpc.sock grpc",
    ] {
        assert!(listeners.contains(listener), "{listeners}");
    }
}

#[test]
fn pprof_on_a_unix_socket_is_found_by_its_path_and_is_private() {
    let run = run();
    let socket = format!("unix:{}", run.folder().join("admin.sock").display());
    let outside = Outside::start(&run, &["-admin", &socket]);
    let ended = asks(run, &format!("http://{}", outside.http))
        .flags(["--address", &outside.grpc, "--pprof", &socket])
        .flags(["--logs", "orders.log", "--otlp", &outside.collector])
        .flags(["--consent", "load,audits"])
        .end();
    check(&ended, "NOT PROVEN", &[STOP_BY_ADDRESS]);
}

#[test]
fn pprof_below_a_path_of_its_own_is_found_where_it_is_said_to_be() {
    let config = listening(&[("-admin-path", "/internal")]);
    let ended = run()
        .config(&config)
        .flags(["--pprof", "/internal/debug/pprof"])
        .end();
    check(&ended, "READY", &[]);
}
