//! Reflection against a server that gives no more than it is asked for.

use super::super::message::Frames;
use super::super::reflect_proto::{
    ErrorResponse, FileDescriptorResponse, ListServiceResponse, ServiceResponse,
};
use super::*;
use crate::probe::SchemaError;

/// Gives single files only, and lacks one that holds options.
fn answer(question: Question) -> Answer {
    let file = |name: &str, imports: &[&str], message: &str| {
        use prost_reflect::prost_types::{
            DescriptorProto, MethodDescriptorProto, ServiceDescriptorProto,
        };
        let method = MethodDescriptorProto {
            name: Some("Get".into()),
            input_type: Some(".b.Ask".into()),
            output_type: Some(".b.Ask".into()),
            ..Default::default()
        };
        let service = ServiceDescriptorProto {
            name: Some("Shop".into()),
            method: vec![method],
            ..Default::default()
        };
        FileDescriptorProto {
            name: Some(name.into()),
            package: Some(name.trim_end_matches(".proto").into()),
            dependency: imports.iter().map(|import| (*import).to_owned()).collect(),
            public_dependency: (1..imports.len() as i32).collect(),
            message_type: vec![DescriptorProto {
                name: Some(message.into()),
                ..Default::default()
            }],
            service: if message == "Main" {
                vec![service]
            } else {
                Vec::new()
            },
            syntax: Some("proto3".into()),
            ..Default::default()
        }
    };
    let found = match question {
        Question::ListServices(_) => {
            let services = ["a.Shop", "a.Shop"].map(|name| ServiceResponse { name: name.into() });
            return Answer::Services(ListServiceResponse {
                services: services.into(),
            });
        }
        Question::FileContainingSymbol(_) => {
            file("a.proto", &["gone/options.proto", "b.proto"], "Main")
        }
        Question::FileByFilename(name) if name == "b.proto" => {
            file("b.proto", &["google/protobuf/any.proto"], "Ask")
        }
        Question::FileByFilename(name) => {
            let message = format!("{name} not found");
            return Answer::Error(ErrorResponse { code: 5, message });
        }
    };
    Answer::Files(FileDescriptorResponse {
        files: vec![found.encode_to_vec()],
    })
}

async fn serve(listener: tokio::net::TcpListener) {
    while let Ok((stream, _)) = listener.accept().await {
        let mut connection = h2::server::handshake(stream).await.expect("a preface");
        while let Some(Ok((request, mut respond))) = connection.accept().await {
            let alpha = request.uri().path().contains("v1alpha");
            tokio::spawn(async move {
                let mut frames = Frames::default();
                let mut body = request.into_body();
                while let Some(data) = body.data().await {
                    frames.push(&data.expect("a body"));
                }
                let head = http::Response::builder().header("content-type", "application/grpc");
                let status = http::HeaderValue::from_static(if alpha { "0" } else { "12" });
                if !alpha {
                    let only = head.header("grpc-status", status).body(()).expect("a head");
                    respond.send_response(only, true).expect("an answer");
                    return;
                }
                let mut stream = respond
                    .send_response(head.body(()).expect("a head"), false)
                    .expect("an answer");
                while let Some(message) = frames.next() {
                    let request = ServerReflectionRequest::decode(message.expect("plain"))
                        .expect("a question");
                    let answer = Some(answer(request.question.expect("one of three")));
                    let message = ServerReflectionResponse { answer }.encode_to_vec();
                    stream
                        .send_data(frame(&message), false)
                        .expect("it is taken");
                }
                let mut trailers = HeaderMap::new();
                trailers.insert("grpc-status", status);
                stream.send_trailers(trailers).expect("they are taken");
            });
        }
    }
}

#[tokio::test]
async fn files_are_fetched_one_by_one_and_an_import_may_be_missing() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port");
    let reach = listener.local_addr().expect("an address").to_string();
    let server = tokio::spawn(serve(listener));
    let (headers, trace) = (Headers::default(), TraceParent::fresh());
    let listed = Reflection::list(&reach, &headers, &trace)
        .await
        .expect("a list");
    assert_eq!(
        (listed.version, listed.services),
        (Version::V1Alpha, vec!["a.Shop".to_owned()])
    );
    let schema = Reflection::schema(&reach, "a.Shop", &headers, &trace)
        .await
        .expect("a schema");
    assert_eq!(schema.encode("a.Shop/Get", "{}"), Ok(Bytes::new()));
    let unknown = schema.encode("a.Shop/Get", r#"{"id": 1}"#);
    assert!(
        matches!(unknown, Err(SchemaError::UnknownField { ref message, .. }) if message == "b.Ask"),
        "{unknown:?}"
    );
    server.abort();
}
