//! Messages of gRPC server reflection.
//!
//! Versions v1 and v1alpha differ in the service's name only, so one set serves both. Source:
//! grpc/grpc-proto, grpc/reflection/v1/reflection.proto; the parts about extensions are left out.

/// One question.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(crate) struct ServerReflectionRequest {
    #[prost(string, tag = "1")]
    pub(crate) host: String,
    #[prost(oneof = "Question", tags = "3, 4, 7")]
    pub(crate) question: Option<Question>,
}

/// What is asked.
#[derive(Clone, PartialEq, Eq, prost::Oneof)]
pub(crate) enum Question {
    /// A file by its name, such as `google/protobuf/any.proto`.
    #[prost(string, tag = "3")]
    FileByFilename(String),
    /// The file that declares a service, method or message.
    #[prost(string, tag = "4")]
    FileContainingSymbol(String),
    /// All services; the text is not used.
    #[prost(string, tag = "7")]
    ListServices(String),
}

/// One answer.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct ServerReflectionResponse {
    #[prost(oneof = "Answer", tags = "4, 6, 7")]
    pub(crate) answer: Option<Answer>,
}

/// What came.
#[derive(Clone, PartialEq, prost::Oneof)]
pub(crate) enum Answer {
    #[prost(message, tag = "4")]
    Files(FileDescriptorResponse),
    #[prost(message, tag = "6")]
    Services(ListServiceResponse),
    #[prost(message, tag = "7")]
    Error(ErrorResponse),
}

/// Files, each an encoded `FileDescriptorProto`.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct FileDescriptorResponse {
    #[prost(bytes = "vec", repeated, tag = "1")]
    pub(crate) files: Vec<Vec<u8>>,
}

/// All services.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct ListServiceResponse {
    #[prost(message, repeated, tag = "1")]
    pub(crate) services: Vec<ServiceResponse>,
}

/// One service.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(crate) struct ServiceResponse {
    #[prost(string, tag = "1")]
    pub(crate) name: String,
}

/// A question that could not be answered.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(crate) struct ErrorResponse {
    #[prost(int32, tag = "1")]
    pub(crate) code: i32,
    #[prost(string, tag = "2")]
    pub(crate) message: String,
}
