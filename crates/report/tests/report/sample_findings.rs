//! Findings of the sample reports, one for each item; every figure is invented.

use shakedown_findings::{
    BecauseOf, Certainty, Exhibit, Finding, Moment, Point, Severity, SourceLine,
};

use crate::samples::at;

pub(crate) fn search_runs_on() -> Finding {
    let file = "/home/dev/orders/internal/search.go";
    Finding {
        code: "DLN001".into(),
        rule: "deadline-ignored".into(),
        severity: Severity::Error,
        certainty: Certainty::Proven,
        subject: "orders.v1.Orders/Search".into(),
        location: Some(at("example.com/orders/internal.(*Server).Search", file, 57)),
        message: "Orders/Search was still in time.Sleep 2,480 ms after its 500 ms deadline, in 5 of 5 calls.\n\
                  The client saw CANCEL at 503 ms: grpc-go reset the stream while the handler ran on."
            .into(),
        exhibits: vec![
            Exhibit::Source {
                file: file.into(),
                line: 57,
                lines: vec![
                    line(54, "func (s *Server) Search(ctx context.Context, r *pb.Query) (*pb.Hits, error) {"),
                    line(57, "\ttime.Sleep(backoff)"),
                    line(58, "\treturn s.index.Find(ctx, r.GetText())"),
                ],
            },
            Exhibit::Timeline {
                title: "Call 1 of 5".into(),
                moments: vec![
                    moment(0, "sent with grpc-timeout 500m"),
                    moment(500_000, "deadline"),
                    moment(503_100, "stream reset by the server (CANCEL)"),
                    moment(505_000, "handler seen in the goroutine profile"),
                    moment(2_980_400, "handler gone"),
                ],
            },
            Exhibit::Stack {
                title: "The handler 2,480 ms after the deadline".into(),
                frames: vec![
                    "time.Sleep /usr/local/go/src/runtime/time.go:363".into(),
                    format!("example.com/orders/internal.(*Server).Search {file}:57"),
                    "example.com/orders/pb._Orders_Search_Handler /home/dev/orders/pb/orders_grpc.pb.go:211".into(),
                ],
            },
        ],
        only_without_span: vec![],
        because_of: vec![BecauseOf {
            code: "DLN002".into(),
            rule: "cancel-ignored".into(),
            message: "Orders/Search runs on after RST_STREAM(CANCEL), in 5 of 5 calls.".into(),
        }],
        fix: "select { case <-time.After(backoff): case <-ctx.Done(): return nil, ctx.Err() }".into(),
        repeat: "shakedown check --only deadline --grpc orders.v1.Orders/Search --data '{\"text\": \"a b\"}' -- ./orders".into(),
    }
}

pub(crate) fn pprof_on_public() -> Finding {
    Finding {
        code: "PRF002".into(),
        rule: "pprof-public".into(),
        severity: Severity::Error,
        certainty: Certainty::Proven,
        subject: "0.0.0.0:8080".into(),
        location: None,
        message: "pprof answers on 0.0.0.0:8080, the application's public listener.".into(),
        exhibits: vec![quote("GET http://127.0.0.1:8080/debug/pprof/", &["200 OK", "Types of profiles available:"])],
        only_without_span: vec![],
        because_of: vec![],
        fix: "Serve net/http/pprof on a ServeMux and a listener of its own: http.ListenAndServe(\"127.0.0.1:6060\", mux).".into(),
        repeat: "curl -s http://127.0.0.1:8080/debug/pprof/".into(),
    }
}

pub(crate) fn audit_without_trace() -> Finding {
    Finding {
        code: "TRC001".into(),
        rule: "log-without-trace".into(),
        severity: Severity::Error,
        certainty: Certainty::Probable { p: 2.3e-14 },
        subject: "order audited".into(),
        location: Some(at("example.com/orders/internal.audit", "/home/dev/orders/internal/audit.go", 31)),
        message: "\"order audited\" (std log): 212 lines without a trace id, 211 of them inside a request of ours. Other templates carry ids: 600 of 600.".into(),
        exhibits: vec![quote(
            "stdout",
            &[
                "2026/11/23 06:31:04 order audited id=1",
                "2026/11/23 06:31:05 order audited id=2",
                "2026/11/23 06:31:05 order audited id=3",
                "2026/11/23 06:31:06 order audited id=4",
                "2026/11/23 06:31:06 order audited id=5",
                "2026/11/23 06:31:07 order audited id=6",
                "2026/11/23 06:31:07 order audited id=7",
            ],
        )],
        only_without_span: vec![],
        because_of: vec![],
        fix: "Log with the request's context: logger.InfoContext(ctx, \"order audited\", \"id\", id).".into(),
        repeat: "shakedown check --only trace --http 'GET /orders/1' -- ./orders".into(),
    }
}

pub(crate) fn leak() -> Finding {
    let labels = ["warm-up", "batch 1", "batch 2", "batch 3", "batch 4"];
    let values = [14.0, 54.0, 94.0, 134.0, 174.0];
    let points = labels.iter().zip(values).map(|(label, value)| Point {
        label: (*label).into(),
        value,
    });
    Finding {
        code: "LIF001".into(),
        rule: "leak-per-request".into(),
        severity: Severity::Error,
        certainty: Certainty::Proven,
        subject: "internal.(*Pricer).Price.func1".into(),
        location: Some(at("example.com/orders/internal.(*Pricer).Price", "/home/dev/orders/internal/price.go", 44)),
        message: "GET /orders/1 leaves one goroutine behind per request: internal.(*Pricer).Price.func1 waits in chan send.".into(),
        exhibits: vec![Exhibit::Series {
            title: "goroutines once quiet".into(),
            points: points.collect(),
        }],
        only_without_span: vec![],
        because_of: vec![],
        fix: "Give the channel room for its one value (make(chan int, 1)), or select on ctx.Done() beside the send.".into(),
        repeat: "shakedown check --only lifecycle --http 'GET /orders/1' -- ./orders".into(),
    }
}

fn line(number: u32, text: &str) -> SourceLine {
    SourceLine {
        number,
        text: text.into(),
    }
}

fn moment(at_us: u64, what: &str) -> Moment {
    Moment {
        at_us,
        what: what.into(),
    }
}

pub(crate) fn quote(title: &str, lines: &[&str]) -> Exhibit {
    Exhibit::Quote {
        title: title.into(),
        lines: lines.iter().map(|line| (*line).into()).collect(),
    }
}
