//! gzip: whole, damaged, cut, in several members, and as a bomb.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use shakedown_pprof::{Came, DecodeError, Limits, Profile};

const HEAP: &[u8] = include_bytes!("data/profile/heap_compile.pb.gz");

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).expect("a vector");
    encoder.finish().expect("a vector")
}

#[test]
fn several_members_are_one_profile() {
    let heap = Profile::decode(HEAP).expect("a real profile");
    let plain = heap.encode();
    let (first, second) = plain.split_at(plain.len() / 3);
    let members = [gzip(first), gzip(second)].concat();
    assert_eq!(Profile::decode(&members), Ok(heap));
}

#[test]
fn two_profiles_are_refused_by_name() {
    let two = [HEAP, HEAP].concat();
    assert_eq!(Profile::decode(&two), Err(DecodeError::Concatenated));
}

#[test]
fn a_cut_download_is_named() {
    for kept in [2, 11, 100, HEAP.len() / 2, HEAP.len() - 9, HEAP.len() - 1] {
        assert_eq!(
            Profile::decode(&HEAP[..kept]),
            Err(DecodeError::GzipTruncated),
            "{kept}"
        );
    }
}

#[test]
fn a_damaged_stream_is_named() {
    let mut damaged = HEAP.to_vec();
    damaged[HEAP.len() / 2] ^= 0x10;
    assert!(matches!(
        Profile::decode(&damaged),
        Err(DecodeError::GzipDamaged { .. })
    ));
    let mut wrong_sum = HEAP.to_vec();
    wrong_sum[HEAP.len() - 6] ^= 1;
    assert!(matches!(
        Profile::decode(&wrong_sum),
        Err(DecodeError::GzipDamaged { .. })
    ));
}

#[test]
fn a_bomb_stops_at_its_bound() {
    let bomb = gzip(&vec![0; 20 << 20]);
    let limits = Limits {
        inflated_bytes: 1 << 20,
        ..Limits::default()
    };
    let too_large = DecodeError::TooLarge {
        what: "the decompressed profile",
        limit: 1 << 20,
    };
    assert_eq!(Profile::decode_within(&bomb, &limits), Err(too_large));
}

#[test]
fn a_compressed_page_is_still_a_page() {
    let page = gzip(b"<html><title>502 Bad Gateway</title>");
    let came = Came::Html("502 Bad Gateway".to_owned());
    assert_eq!(
        Profile::decode(&page),
        Err(DecodeError::Unexpected {
            wanted: "a pprof profile",
            came
        })
    );
    assert_eq!(Profile::decode(&gzip(b"")), Err(DecodeError::Empty));
}
