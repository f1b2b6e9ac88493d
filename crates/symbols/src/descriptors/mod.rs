//! Protobuf file descriptors in an executable: what a server's methods and messages are, without
//! asking it.
//!
//! protoc-gen-go leaves the serialized `FileDescriptorProto` of every file in the data of a
//! program, as its own reflection needs it; so does protoc's C++ code. Stripping takes nothing of
//! it away. Older Go generators (golang/protobuf before 1.4, gogo/protobuf) left it gzipped. There
//! is no table of them: they are found by their first field, the name of the file, and followed
//! field by field to their end ([`walk`]).
//!
//! Nothing is decoded beyond what delimits a descriptor; that is left to a protobuf library.
//!
//! Source of the layout: google/protobuf/descriptor.proto.

mod walk;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Seek};

use memchr::memmem;
use object::ReadCache;

use crate::build_info::{BuildInfoError, Image};

/// Files of one program; the largest public API surfaces have some thousand.
const FILES_MAX: usize = 5_000;
/// One descriptor. The largest known, of an API with thousands of messages, have about 1 MB.
const FILE_BYTES_MAX: usize = 4 << 20;
/// All descriptors together.
const TOTAL_BYTES_MAX: usize = 64 << 20;
/// Data of a program that is looked through at once.
const SEGMENT_MAX: u64 = 512 << 20;
/// Bytes that may be walked in vain, and gzip streams that may be opened in vain.
const VAIN_BYTES_MAX: usize = 64 << 20;
const GZIP_MAX: usize = 20_000;
/// Names of generated gRPC handlers.
const HANDLERS_MAX: usize = 50_000;

/// What a file's name ends with.
const ENDING: &[u8] = b".proto";
/// The header that Go's compress/gzip writes: deflate, no flags, no time.
const GZIP: &[u8] = &[0x1f, 0x8b, 8, 0, 0, 0, 0, 0];
/// What the name of a generated gRPC handler ends with.
const HANDLER: &[u8] = b"_Handler";

/// What a program has in it about gRPC.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Descriptors {
    /// Serialized `FileDescriptorProto`s by the names of their files.
    pub files: BTreeMap<String, Vec<u8>>,
    /// Names such as `_Orders_Get_Handler`: functions that protoc-gen-go-grpc generates, which the
    /// linker keeps only for services that the program itself serves.
    pub handlers: BTreeSet<String>,
}

/// Looks through bytes of any kind.
#[must_use]
pub fn descriptors(bytes: &[u8]) -> Descriptors {
    let mut found = Search::default();
    found.plain(bytes);
    found.gzipped(bytes);
    found.handlers(bytes);
    found.descriptors
}

/// Looks through what an executable has in memory when it runs.
///
/// # Errors
/// The content is not ELF or is damaged; a failed read counts as damage.
pub fn descriptors_from(reader: impl Read + Seek) -> Result<Descriptors, BuildInfoError> {
    let cache = ReadCache::new(reader);
    let image = Image::parse(&cache)?;
    let mut found = Search::default();
    for (address, size) in image.loaded() {
        let part = image.up_to(address, size.min(SEGMENT_MAX));
        let part = part.ok_or(BuildInfoError::Damaged("a segment cannot be read"))?;
        found.plain(part);
        found.gzipped(part);
        found.handlers(part);
    }
    Ok(found.descriptors)
}

#[derive(Default)]
struct Search {
    descriptors: Descriptors,
    total: usize,
    vain: usize,
    opened: usize,
}

impl Search {
    fn plain(&mut self, bytes: &[u8]) {
        let mut done = 0;
        for at in memmem::find_iter(bytes, ENDING) {
            if at < done || self.vain > VAIN_BYTES_MAX {
                continue;
            }
            let end = at + ENDING.len();
            let Some(start) = walk::start_of(bytes, done, end) else {
                continue;
            };
            let whole = &bytes[start..bytes.len().min(start + FILE_BYTES_MAX)];
            let walk = walk::follow(whole);
            match walk.file {
                Some(name) => {
                    done = start + walk.length;
                    self.keep(name, &whole[..walk.length]);
                }
                None => self.vain += walk.length + walk::LEAST,
            }
        }
    }

    fn gzipped(&mut self, bytes: &[u8]) {
        for at in memmem::find_iter(bytes, GZIP) {
            self.opened += 1;
            if self.opened > GZIP_MAX || self.vain > VAIN_BYTES_MAX {
                return;
            }
            let mut inflated = Vec::new();
            let stream = flate2::bufread::GzDecoder::new(&bytes[at..]);
            let read = stream
                .take(FILE_BYTES_MAX as u64)
                .read_to_end(&mut inflated);
            // A stream is a descriptor from its first byte to its last, or something else.
            let walk = walk::follow(&inflated);
            match walk.file {
                Some(name) if read.is_ok() && walk.length == inflated.len() => {
                    self.keep(name, &inflated);
                }
                _ => self.vain += inflated.len(),
            }
        }
    }

    /// Of two of the same name the longer is kept: the other may have been cut.
    fn keep(&mut self, name: &str, bytes: &[u8]) {
        let files = &mut self.descriptors.files;
        let known = files.get(name).map_or(0, Vec::len);
        let full = files.len() >= FILES_MAX || self.total + bytes.len() > TOTAL_BYTES_MAX;
        if known >= bytes.len() || full {
            return;
        }
        self.total += bytes.len() - known;
        files.insert(name.to_owned(), bytes.to_vec());
    }

    fn handlers(&mut self, bytes: &[u8]) {
        let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
        for at in memmem::find_iter(bytes, HANDLER) {
            let names = &mut self.descriptors.handlers;
            if names.len() >= HANDLERS_MAX {
                return;
            }
            let end = at + HANDLER.len();
            let before = &bytes[at.saturating_sub(walk::NAME_MAX)..at];
            let word = before.iter().rev().take_while(|byte| is_word(byte)).count();
            // `package._Service_Method_Handler`; a closure in it has the same name before its dot.
            let name = &bytes[at - word..end];
            let of_package = before.len() > word && before[before.len() - word - 1] == b'.';
            let ends = bytes.get(end).is_none_or(|byte| !is_word(byte));
            if of_package && ends && name.starts_with(b"_") && word > 2 {
                names.insert(String::from_utf8_lossy(name).into_owned());
            }
        }
    }
}
