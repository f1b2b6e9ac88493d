//! The services and messages that an executable, or a file of descriptors, has in it.
//!
//! For servers without reflection. Read through `/proc/PID/exe`, which is the running file even if
//! another has taken its name.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::Read as _;
use std::path::Path;

use prost::Message as _;
use prost_reflect::prost_types::{FileDescriptorProto, FileDescriptorSet};
use shakedown_evidence::descriptors_from;

use super::reflect::{Files, pool};
use super::schema::Schema;

/// Larger executables exist, but not of services.
const EXECUTABLE_MAX: u64 = 1 << 30;
/// A set of all files of a large API has some MB.
const SET_MAX: u64 = 64 << 20;

/// Files of descriptors, from one origin.
#[derive(Debug)]
pub struct Declared {
    files: Files,
    /// Generated handlers that were linked; empty if the origin cannot know.
    handlers: BTreeSet<String>,
    origin: String,
}

impl Declared {
    /// What the executable of a process has in it. Reads the whole file: not for the runtime's own
    /// threads.
    pub(crate) fn of_process(pid: u32) -> Result<Self, String> {
        let path = format!("/proc/{pid}/exe");
        let read = || {
            let file = File::open(&path)?;
            let length = file.metadata()?.len();
            let name = fs::read_link(&path)?;
            std::io::Result::Ok((file, length, name.display().to_string()))
        };
        let (file, length, origin) = read().map_err(|error| {
            format!("{path}: {error}; the process may have ended, or run as another user")
        })?;
        if length > EXECUTABLE_MAX {
            return Err(format!("{origin} is larger than {EXECUTABLE_MAX} bytes"));
        }
        let found = descriptors_from(file).map_err(|error| format!("{origin}: {error}"))?;
        // What was taken for a descriptor and is none after all is left out.
        let files = found
            .files
            .values()
            .filter_map(|bytes| FileDescriptorProto::decode(bytes.as_slice()).ok());
        Ok(Self {
            files: by_name(files),
            handlers: found.handlers,
            origin,
        })
    }

    /// A `FileDescriptorSet`, as `protoc --descriptor_set_out` and `buf build` write it.
    ///
    /// # Errors
    /// The file cannot be read or is something else, as a sentence with the remedy.
    pub fn of_set(path: &Path) -> Result<Self, String> {
        let origin = path.display().to_string();
        let mut bytes = Vec::new();
        File::open(path)
            .and_then(|file| file.take(SET_MAX + 1).read_to_end(&mut bytes))
            .map_err(|error| format!("{origin}: {error}"))?;
        if bytes.len() as u64 > SET_MAX {
            return Err(format!("{origin} is larger than {SET_MAX} bytes"));
        }
        let set = FileDescriptorSet::decode(bytes.as_slice()).ok();
        let set = set.filter(|set| set.file.iter().all(|file| !file.name().is_empty()));
        let set = set.filter(|set| !set.file.is_empty()).ok_or_else(|| {
            format!(
                "{origin} is no set of descriptors; make one with: protoc --include_imports --descriptor_set_out=FILE, or buf build -o FILE.binpb"
            )
        })?;
        Ok(Self {
            files: by_name(set.file.into_iter()),
            handlers: BTreeSet::new(),
            origin,
        })
    }

    /// Where all of this was found.
    pub(crate) fn origin(&self) -> &str {
        &self.origin
    }

    /// Full names of all services, sorted.
    pub(crate) fn services(&self) -> Vec<String> {
        let services = self.files.values().flat_map(|file| {
            let services = file.service.iter();
            services.map(|service| full_name(file, service.name()))
        });
        let services: BTreeSet<String> = services.collect();
        services.into_iter().collect()
    }

    /// Full names of the services that the program itself serves, as far as that can be told: the
    /// linker keeps a generated handler only for those.
    pub(crate) fn served(&self) -> Vec<String> {
        let is_served = |name: &String| {
            let name = name.rsplit('.').next().unwrap_or(name);
            let begin = format!("_{name}_");
            self.handlers
                .iter()
                .any(|handler| handler.starts_with(&begin))
        };
        let all = self.services();
        if self.handlers.is_empty() {
            return all;
        }
        all.into_iter().filter(is_served).collect()
    }

    /// The schema of one service, with all that its messages need.
    pub(crate) fn schema(&self, service: &str) -> Result<Schema, String> {
        let declares = |file: &&FileDescriptorProto| {
            let mut services = file.service.iter();
            services.any(|known| full_name(file, known.name()) == service)
        };
        let Some(file) = self.files.values().find(declares) else {
            return Err(format!("{} declares no {service}", self.origin));
        };
        let mut wanted: Files = BTreeMap::new();
        let mut queue = vec![file];
        while let Some(file) = queue.pop() {
            if wanted.contains_key(file.name()) {
                continue;
            }
            let imports = file.dependency.iter();
            queue.extend(imports.filter_map(|name| self.files.get(name)));
            wanted.insert(file.name().to_owned(), file.clone());
        }
        let pool = pool(wanted).map_err(|error| format!("{}: {error}", self.origin))?;
        Ok(Schema::new(pool, self.services()))
    }
}

fn by_name(files: impl Iterator<Item = FileDescriptorProto>) -> Files {
    let mut files: Files = files.map(|file| (file.name().to_owned(), file)).collect();
    let names: BTreeSet<String> = files.keys().cloned().collect();
    for file in files.values_mut() {
        for import in &mut file.dependency {
            if let Some(name) = registered_as(import, &names) {
                *import = name.to_owned();
            }
        }
    }
    files
}

/// The name of an imported file that was generated apart from the file that imports it: within its
/// own folder it is `kv.proto`, for others `api/mvccpb/kv.proto`.
fn registered_as<'a>(import: &str, names: &'a BTreeSet<String>) -> Option<&'a str> {
    if names.contains(import) {
        return None;
    }
    let mut rest = import;
    while let Some((_, shorter)) = rest.split_once('/') {
        if let Some(name) = names.get(shorter) {
            return Some(name);
        }
        rest = shorter;
    }
    None
}

fn full_name(file: &FileDescriptorProto, name: &str) -> String {
    match file.package() {
        "" => name.to_owned(),
        package => format!("{package}.{name}"),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use prost_reflect::prost_types::{
        DescriptorProto, MethodDescriptorProto, ServiceDescriptorProto,
    };

    use super::*;

    fn file(name: &str, imports: &[&str], service: Option<&str>) -> FileDescriptorProto {
        let method = |message: &str| MethodDescriptorProto {
            name: Some("Get".into()),
            input_type: Some(message.into()),
            output_type: Some(message.into()),
            ..MethodDescriptorProto::default()
        };
        let message = |name: &str| DescriptorProto {
            name: Some(name.into()),
            ..DescriptorProto::default()
        };
        FileDescriptorProto {
            name: Some(name.into()),
            package: Some(name.trim_end_matches(".proto").into()),
            dependency: imports.iter().map(|name| (*name).to_owned()).collect(),
            message_type: vec![message("M")],
            service: service
                .map(|name| ServiceDescriptorProto {
                    name: Some(name.into()),
                    method: vec![method(".b.M")],
                    ..ServiceDescriptorProto::default()
                })
                .into_iter()
                .collect(),
            syntax: Some("proto3".into()),
            ..FileDescriptorProto::default()
        }
    }

    fn check(files: Vec<FileDescriptorProto>) -> Result<Declared, String> {
        let mut set = tempfile::NamedTempFile::new().expect("a file");
        let bytes = FileDescriptorSet { file: files }.encode_to_vec();
        set.write_all(&bytes).expect("written");
        Declared::of_set(set.path())
    }

    #[test]
    fn a_schema_has_all_that_its_service_needs() {
        let declared = check(vec![
            file(
                "a.proto",
                &["b.proto", "google/api/annotations.proto"],
                Some("A"),
            ),
            file("b.proto", &["google/protobuf/any.proto"], None),
            file("broken.proto", &["b.proto"], Some("Broken")),
        ]);
        let declared = declared.expect("a set");
        assert_eq!(declared.services(), ["a.A", "broken.Broken"]);
        let schema = declared.schema("a.A").expect("whole");
        assert_eq!(schema.encode("a.A/Get", "{}").as_deref(), Ok(&b""[..]));
        let error = declared.schema("a.B").expect_err("no such service");
        assert!(error.ends_with("declares no a.B"), "{error}");
    }

    #[test]
    fn an_import_is_found_under_the_name_that_its_file_has_in_its_own_folder() {
        let importing = |import: &str| {
            let files = vec![
                file("a.proto", &[import], Some("A")),
                file("b.proto", &[], None),
            ];
            let declared = check(files).expect("a set");
            declared.schema("a.A").map(|_| ())
        };
        assert_eq!(importing("api/v1/b.proto"), Ok(()));
        assert!(importing("api/v1/bb.proto").is_err());
    }

    #[test]
    fn only_what_the_program_serves_is_listed_as_served() {
        let files = vec![
            file("a.proto", &["b.proto"], Some("A")),
            file("c.proto", &["b.proto"], Some("Client")),
        ];
        let mut declared = check(files).expect("a set");
        assert_eq!(declared.served().len(), 2, "a file cannot know");
        declared.handlers = ["_A_Get_Handler".to_owned()].into();
        assert_eq!(declared.served(), ["a.A"]);
    }

    #[test]
    fn what_is_no_set_is_refused_with_the_remedy() {
        for bytes in [&b""[..], b"syntax = \"proto3\";", b"\x0a\x00"] {
            let mut file = tempfile::NamedTempFile::new().expect("a file");
            file.write_all(bytes).expect("written");
            let error = Declared::of_set(file.path()).expect_err("no set");
            assert!(error.contains("--descriptor_set_out"), "{error}");
        }
        let error = Declared::of_set(Path::new("/no/such/file")).expect_err("absent");
        assert!(error.contains("/no/such/file"), "{error}");
    }

    #[test]
    fn our_own_executable_can_be_looked_through() {
        let declared = Declared::of_process(std::process::id()).expect("readable");
        assert!(declared.handlers.is_empty(), "{:?}", declared.handlers);
        assert!(Declared::of_process(u32::MAX).is_err());
    }
}
