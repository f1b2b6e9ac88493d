//! A service in a network namespace of its own, as in a container or a pod: reached by forwarded
//! ports, its spans forwarded back, its log followed.

use crate::expected::{STOP_BY_ADDRESS, asks, by_pid, check, run};
use crate::outside::Outside;

#[test]
fn by_forwarded_ports_it_is_proven_as_by_its_own() {
    let run = run();
    let mut outside = Outside::apart(&run);
    let [http, grpc, admin] = [&outside.http, &outside.grpc, &outside.admin].map(String::clone);
    let [http, grpc, admin] = [http, grpc, admin].map(|to| outside.forwarded(&to));
    let collector = outside.collector.clone();
    outside.forward_back(&collector, &collector);
    let ended = asks(run, &format!("http://{http}"))
        .flags(["--address", &grpc, "--pprof", &admin, "--private", &admin])
        .flags([
            "--logs",
            "orders.log",
            "--otlp",
            &collector,
            "--consent",
            "load,audits",
        ])
        .end();
    check(&ended, "NOT PROVEN", &[STOP_BY_ADDRESS]);
    assert!(outside.is_alive());
}

#[test]
fn by_its_process_alone_its_listeners_are_out_of_reach_and_nothing_is_blamed() {
    let run = run();
    let outside = Outside::apart(&run);
    let ended = by_pid(run, &outside).flags(["--logs", "orders.log"]).end();
    assert_eq!(ended.code, Some(3), "{}", ended.stdout);
    let report = ended.report();
    assert_eq!(
        report["findings"].as_array().map(Vec::len),
        Some(0),
        "{report}"
    );
    let troubles = report["troubles"].to_string();
    assert!(
        troubles.contains("network namespace of its own") && troubles.contains("--address"),
        "{troubles}"
    );
}
