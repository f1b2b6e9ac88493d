//! Descriptors in bytes: those of the well-known types and of files made by chance, among noise.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;
use prost::Message as _;
use prost_reflect::DescriptorPool;
use prost_reflect::prost_types::{
    DescriptorProto, EnumDescriptorProto, EnumValueDescriptorProto, FieldDescriptorProto,
    FileDescriptorProto, FileOptions, MethodDescriptorProto, ServiceDescriptorProto,
};
use shakedown_symbols::{BuildInfoError, descriptors, descriptors_from};

/// Real descriptors: those of the well-known types.
fn real() -> Vec<FileDescriptorProto> {
    let pool = DescriptorPool::global();
    let files = pool
        .files()
        .map(|file| file.file_descriptor_proto().clone());
    files.collect()
}

fn bytes_of(name: &str, bytes: &[u8]) -> Option<FileDescriptorProto> {
    let found = descriptors(bytes);
    let file = found.files.get(name)?;
    FileDescriptorProto::decode(file.as_slice()).ok()
}

#[test]
fn real_descriptors_are_found_whole_one_after_another_and_apart() {
    let files = real();
    assert!(files.len() > 5);
    for between in [
        &b""[..],
        b"\n\x03",
        b"\0\0\0",
        b"package main",
        b"\n",
        b"b",
        b"\"\x02",
    ] {
        let mut data = b"\x0a\x7f.proto no descriptor .proto".to_vec();
        for file in &files {
            data.extend(file.encode_to_vec());
            data.extend(between);
        }
        for file in &files {
            assert_eq!(
                bytes_of(file.name(), &data).as_ref(),
                Some(file),
                "{} before {between:?}",
                file.name()
            );
        }
        assert_eq!(descriptors(&data).files.len(), files.len());
    }
}

#[test]
fn gzipped_descriptors_are_found_too() {
    let file = real().remove(0);
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    gzip.write_all(&file.encode_to_vec()).expect("in memory");
    let packed = gzip.finish().expect("in memory");
    let data = [&b"\x1f\x8b\x08\0\0\0\0\0no gzip"[..], &packed, b"rest"].concat();
    assert_eq!(bytes_of(file.name(), &data), Some(file));
}

#[test]
fn of_two_of_the_same_name_the_longer_is_kept() {
    let whole = real().remove(0);
    let mut cut = whole.clone();
    cut.syntax = None;
    cut.options = None;
    for order in [[&cut, &whole], [&whole, &cut]] {
        let data = order.map(|file| file.encode_to_vec()).join(&b"\0"[..]);
        assert_eq!(bytes_of(whole.name(), &data).as_ref(), Some(&whole));
    }
}

#[test]
fn a_file_whose_only_declaration_is_damaged_declares_nothing() {
    let name = b"\x0a\x07a.proto\x12\x01a";
    let damaged = [&name[..], b"\x22\x05\x0a\x03A\0B"].concat();
    assert!(descriptors(&damaged).files.is_empty());
    let whole = [&name[..], b"\x22\x05\x0a\x03ABC"].concat();
    assert_eq!(descriptors(&whole).files["a.proto"], whole);
}

#[test]
fn handlers_are_known_by_their_generated_names() {
    let names = b"x.test/pb._Orders_Get_Handler\0x.test/pb._Orders_Find_Handler.func1\0\
        pb.My_Orders_Put_Handler\0net/http.NotFound_Handler\0._Handler\0._A_B_Handlers";
    let found = descriptors(names).handlers;
    assert_eq!(
        found.into_iter().collect::<Vec<_>>(),
        ["_Orders_Find_Handler", "_Orders_Get_Handler"]
    );
}

#[test]
fn what_is_no_executable_is_an_error() {
    let script = std::io::Cursor::new(b"#!/bin/sh\n");
    assert_eq!(descriptors_from(script), Err(BuildInfoError::NotElf));
}

#[test]
fn gzip_that_inflates_without_end_is_left() {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    gzip.write_all(&vec![0; 200 << 20]).expect("in memory");
    let packed = gzip.finish().expect("in memory");
    let bombs = packed.repeat(40);
    assert_eq!(descriptors(&bombs).files.len(), 0);
}

fn word() -> impl Strategy<Value = String> {
    "[a-zA-Z][a-zA-Z0-9_]{0,30}"
}

prop_compose! {
    fn message()(name in word(), fields in prop::collection::vec((word(), 1..500_i32, 1..9_i32), 0..6)) -> DescriptorProto {
        let field = |(name, number, kind): (String, i32, i32)| FieldDescriptorProto {
            name: Some(name),
            number: Some(number),
            r#type: Some(kind),
            json_name: Some(String::new()),
            ..FieldDescriptorProto::default()
        };
        DescriptorProto {
            name: Some(name),
            field: fields.into_iter().map(field).collect(),
            ..DescriptorProto::default()
        }
    }
}

prop_compose! {
    fn file()(
        path in "[a-z]{1,60}/[a-z_]{1,90}",
        package in prop::option::of("[a-z]{1,9}\\.v[0-9]"),
        imports in prop::collection::vec("[a-z]{1,9}/[a-z]{1,9}\\.proto", 0..4),
        messages in prop::collection::vec(message(), 1..5),
        service in prop::option::of((word(), word())),
        syntax in prop::option::of(prop_oneof![Just("proto2"), Just("proto3"), Just("editions")]),
    ) -> FileDescriptorProto {
        FileDescriptorProto {
            name: Some(path + ".proto"),
            package,
            dependency: imports,
            message_type: messages,
            enum_type: vec![EnumDescriptorProto {
                name: Some("E".into()),
                value: vec![EnumValueDescriptorProto {
                    name: Some("E_NONE".into()),
                    number: Some(0),
                    options: None,
                }],
                ..EnumDescriptorProto::default()
            }],
            service: service
                .map(|(name, method)| ServiceDescriptorProto {
                    name: Some(name),
                    method: vec![MethodDescriptorProto {
                        name: Some(method),
                        input_type: Some(".a.B".into()),
                        output_type: Some(".a.B".into()),
                        ..MethodDescriptorProto::default()
                    }],
                    options: None,
                })
                .into_iter()
                .collect(),
            options: Some(FileOptions {
                go_package: Some("x.test/pb;pb".into()),
                ..FileOptions::default()
            }),
            syntax: syntax.map(str::to_owned),
            ..FileDescriptorProto::default()
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn every_descriptor_is_found_among_zeroes_and_text(file in file(), before in ".{0,40}") {
        let data = [before.as_bytes(), b"\0", &file.encode_to_vec(), b"\0\0 and so on"].concat();
        let name = file.name().to_owned();
        prop_assert_eq!(bytes_of(&name, &data), Some(file));
    }

    #[test]
    fn damage_never_panics(file in file(), at in 0..400_usize, to in any::<u8>(), cut in 0..400_usize) {
        let mut data = file.encode_to_vec();
        let length = data.len();
        data[at % length] = to;
        data.truncate(cut.max(1));
        let found = descriptors(&data);
        prop_assert!(found.files.values().all(|bytes| bytes.len() <= data.len()));
    }

    #[test]
    fn noise_is_no_descriptor(noise in prop::collection::vec(any::<u8>(), 0..4096)) {
        prop_assert!(descriptors(&noise).files.is_empty());
    }
}
