//! zstd as the reference program writes it: whole, cut, damaged, in several frames, and
//! as a bomb.

use shakedown_pprof::{DecodeError, Limits, Profile};

const GZIP: &[u8] = include_bytes!("data/service/cpu.pb.gz");
const ZSTD: &[u8] = include_bytes!("data/zstd/cpu.pb.zst");
const BOMB: &[u8] = include_bytes!("data/zstd/zeros.zst");

/// A frame that readers skip, with `content`.
fn skipped(content: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x52, 0x2a, 0x4d, 0x18];
    frame.extend((content.len() as u32).to_le_bytes());
    frame.extend(content);
    frame
}

#[test]
fn it_holds_the_same_profile_as_gzip() {
    let profile = Profile::decode(ZSTD).expect("a profile");
    assert_eq!(Ok(&profile), Profile::decode(GZIP).as_ref());
    let owned = Profile::decode_owned(ZSTD.to_vec(), &Limits::default());
    assert_eq!(owned, Ok(profile));
}

#[test]
fn two_profiles_are_refused_by_name() {
    let two = [ZSTD, ZSTD].concat();
    assert_eq!(Profile::decode(&two), Err(DecodeError::Concatenated));
}

#[test]
fn frames_to_be_skipped_are_skipped() {
    let wanted = Profile::decode(ZSTD);
    assert_eq!(Profile::decode(&[ZSTD, &skipped(b"note")].concat()), wanted);
    let lying = [ZSTD, &skipped(b"note")[..9]].concat();
    assert_eq!(Profile::decode(&lying), Err(DecodeError::ZstdTruncated));
}

#[test]
fn a_cut_download_is_named() {
    for kept in 4..ZSTD.len() {
        let cut = Profile::decode(&ZSTD[..kept]);
        assert_eq!(cut, Err(DecodeError::ZstdTruncated), "{kept}");
    }
}

#[test]
fn a_changed_bit_never_gives_another_profile() {
    let wanted = Profile::decode(ZSTD).expect("a profile");
    for at in 4..ZSTD.len() {
        let mut damaged = ZSTD.to_vec();
        damaged[at] ^= 0x10;
        // What the head says of size and window changes no content.
        if let Ok(same) = Profile::decode(&damaged) {
            assert_eq!(same, wanted, "{at}");
        }
    }
    let mut wrong_sum = ZSTD.to_vec();
    *wrong_sum.last_mut().expect("bytes") ^= 1;
    assert!(matches!(
        Profile::decode(&wrong_sum),
        Err(DecodeError::ZstdDamaged { .. })
    ));
}

#[test]
fn a_bomb_stops_at_its_bound() {
    let limits = Limits {
        inflated_bytes: 1 << 20,
        ..Limits::default()
    };
    let too_large = DecodeError::TooLarge {
        what: "the decompressed profile",
        limit: 1 << 20,
    };
    assert_eq!(Profile::decode_within(BOMB, &limits), Err(too_large));
}

#[test]
fn a_lying_window_takes_no_memory() {
    // Magic, a descriptor with nothing in it, and a window of 2^41 bytes.
    let lying = [0x28, 0xb5, 0x2f, 0xfd, 0, 0xf8, 1, 0, 0];
    assert!(matches!(
        Profile::decode(&lying),
        Err(DecodeError::ZstdDamaged { .. })
    ));
}
