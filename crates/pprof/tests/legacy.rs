//! google/pprof's legacy profiles against its own dump of each, and again after
//! they were written as profile.proto and read.

use std::path::Path;

use shakedown_pprof::Profile;
use shakedown_pprof::report::{Zone, raw};

#[test]
fn every_legacy_profile_dumps_as_the_original_does() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/profile");
    let (mut passed, mut failed) = (0, Vec::new());
    let entries = std::fs::read_dir(&folder).expect("the folder");
    for entry in entries {
        let path = entry.expect("an entry").path();
        if path.extension().is_some_and(|e| e == "string") {
            continue;
        }
        let name = path
            .file_name()
            .expect("a name")
            .to_string_lossy()
            .into_owned();
        let wanted = folder.join(format!("{name}.string"));
        let wanted = std::fs::read_to_string(wanted).expect("a dump");
        let bytes = std::fs::read(&path).expect("a profile");
        let profile = match Profile::decode(&bytes) {
            Ok(profile) => profile,
            Err(error) => {
                failed.push(format!("{name}: {error}"));
                continue;
            }
        };
        let again = Profile::decode(&profile.encode()).expect("what we wrote");
        for ours in [
            raw(&profile, &Zone::default()),
            raw(&again, &Zone::default()),
        ] {
            let at = ours.lines().zip(wanted.lines()).position(|(a, b)| a != b);
            if ours != wanted {
                let line = |text: &str| text.lines().nth(at.unwrap_or(0)).map(str::to_owned);
                failed.push(format!(
                    "{name}: {at:?}\n  {:?}\n  {:?}",
                    line(&ours),
                    line(&wanted)
                ));
            }
        }
        passed += 1;
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    assert_eq!(passed, 14);
}
