//! The sources of a report on their way to one profile.
//!
//! Files are merged as they are read, so that a hundred of them need the memory of one. That
//! gives what merging all at once does only if all of them measure the same, which the last
//! file tells. Until then they stay as they came, packed, and are read again if they must be.

use shakedown_pprof::Profile;
use shakedown_pprof::report::{Merging, combine};

/// Profiles that came so far.
#[derive(Default)]
pub(crate) struct Gathered {
    merging: Option<Merging>,
    /// The files that were merged.
    merged: Vec<Vec<u8>>,
    /// What is to be merged when all is there.
    profiles: Vec<Profile>,
}

impl Gathered {
    pub(crate) fn len(&self) -> usize {
        self.merged.len() + self.profiles.len()
    }

    /// Takes a profile, and the file it stood in if that can be read again with `read`.
    pub(crate) fn add(
        &mut self,
        profile: Profile,
        file: Option<Vec<u8>>,
        read: impl FnMut(Vec<u8>) -> Result<Profile, String>,
    ) -> Result<(), String> {
        let profile = match file {
            Some(file) if self.profiles.is_empty() => match self.merge(profile) {
                Ok(()) => {
                    self.merged.push(file);
                    return Ok(());
                }
                Err(profile) => *profile,
            },
            _ => profile,
        };
        self.read_again(read)?;
        self.profiles.push(profile);
        Ok(())
    }

    fn merge(&mut self, profile: Profile) -> Result<(), Box<Profile>> {
        if self.merging.is_none() {
            self.merging = Merging::like(&profile);
        }
        match &mut self.merging {
            Some(merging) => merging.add(profile),
            None => Err(Box::new(profile)),
        }
    }

    /// Gives up what was merged for what it was merged of.
    fn read_again(
        &mut self,
        read: impl FnMut(Vec<u8>) -> Result<Profile, String>,
    ) -> Result<(), String> {
        self.merging = None;
        let again = self.merged.drain(..).map(read);
        self.profiles = again
            .chain(self.profiles.drain(..).map(Ok))
            .collect::<Result<_, _>>()?;
        Ok(())
    }

    /// One profile of all.
    pub(crate) fn finish(
        mut self,
        read: impl FnMut(Vec<u8>) -> Result<Profile, String>,
    ) -> Result<Profile, String> {
        match self.merging.take() {
            // One profile alone is not merged: it stays as it is.
            Some(merging) if self.merged.len() > 1 => merging.finish(),
            _ => {
                self.read_again(read)?;
                combine(self.profiles)
            }
        }
        .map_err(|why| why.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile(unit: &str, value: i64) -> Profile {
        let mut profile = Profile::new(&[("cpu", unit)]);
        let places = [1, 2].map(|address| profile.push_location(address, None, &[]));
        profile.push_sample(&places, &[value], &[]);
        // Nothing: merging leaves it out, and what is not merged keeps it.
        profile.push_sample(&places[..1], &[0], &[]);
        profile
    }

    /// What comes of profiles, some of which can be read again; how many were.
    fn gathered(given: &[(Profile, bool)]) -> (Profile, usize) {
        let mut gathered = Gathered::default();
        let mut reads = 0;
        let mut read = |file: Vec<u8>| {
            reads += 1;
            Profile::decode(&file).map_err(|why| why.to_string())
        };
        for (profile, is_file) in given {
            let file = is_file.then(|| profile.encode());
            let added = gathered.add(profile.clone(), file, &mut read);
            added.expect("what was read once is read again");
        }
        assert_eq!(gathered.len(), given.len());
        let whole = gathered.finish(&mut read).expect("they measure the same");
        (whole, reads)
    }

    #[test]
    fn it_is_what_combining_all_at_once_gives() {
        let [one, two, ms] = [("ns", 1), ("ns", 2), ("ms", 3)].map(|(u, v)| profile(u, v));
        let cases: [(&[(&Profile, bool)], usize); 6] = [
            (&[(&one, true)], 1),
            (&[(&one, true), (&two, true), (&one, true)], 0),
            // The third measures in another unit.
            (&[(&one, true), (&two, true), (&ms, true), (&one, true)], 2),
            (&[(&ms, true), (&one, true), (&two, true)], 1),
            // A server does not answer twice.
            (&[(&one, true), (&two, false), (&one, true)], 1),
            (&[(&one, false), (&two, true)], 0),
        ];
        for (given, reads) in cases {
            let owned = given.iter().map(|&(p, is_file)| (p.clone(), is_file));
            let owned: Vec<(Profile, bool)> = owned.collect();
            let whole = combine(owned.iter().map(|(p, _)| p.clone()).collect());
            assert_eq!(
                gathered(&owned),
                (whole.expect("the same"), reads),
                "{reads}"
            );
        }
    }
}
