//! Evidence in the form that reports show, and places in the source.

use shakedown_evidence::{Evidence, Frame, SourceExcerpt, Stack, handler, task};
use shakedown_findings::{Exhibit, Location, SourceLine};

/// The place of a frame.
pub(crate) fn location(frame: &Frame) -> Location {
    Location {
        function: Some(frame.function.clone()),
        file: (!frame.file.is_empty()).then(|| frame.file.clone()),
        line: (frame.line > 0).then_some(frame.line),
    }
}

/// Where a stack stands in the service's own code: the leaf-most frame of it.
pub(crate) fn own_place<'a>(seen: &'a Evidence, stack: &'a Stack) -> Option<&'a Frame> {
    handler::own_frames(stack, seen.build.as_ref()).next()
}

/// Frames of a stack that are shown.
const FRAMES: usize = 12;
/// Of those, so many of libraries before the service's own, where they are many.
const LEAVES: usize = 4;

/// A stack that stands deep in libraries, so that the service's own frames are among those shown.
pub(crate) fn stack_to_own(seen: &Evidence, title: &str, of: &Stack) -> Exhibit {
    let own = |frame: &Frame| handler::is_own(frame, seen.build.as_ref());
    match of.frames.iter().position(own) {
        Some(own) if own + 2 > FRAMES => {
            let skipped = own - LEAVES;
            let shown = Stack {
                frames: of.frames[skipped..].to_vec(),
                ..of.clone()
            };
            let title = format!("{title}, without the innermost {skipped} frames of libraries");
            stack(&title, &shown)
        }
        _ => stack(title, of),
    }
}

/// A stack with its frames, leaf first; the runtime's own are left out at the leaf.
pub(crate) fn stack(title: &str, of: &Stack) -> Exhibit {
    let interesting = of.frames.iter().skip_while(|frame| {
        handler::package_of(&frame.function) == "runtime" && of.frames.len() > 1
    });
    let mut frames: Vec<String> = interesting.take(FRAMES).map(line).collect();
    if let Some(created_by) = &of.created_by {
        frames.push(format!("created by {}", line(created_by)));
    }
    Exhibit::Stack {
        title: title.into(),
        frames,
    }
}

fn line(frame: &Frame) -> String {
    format!("{} {}:{}", frame.function, base(&frame.file), frame.line)
}

/// `search.go` of `/build/internal/search.go`.
pub(crate) fn base(file: &str) -> &str {
    file.rsplit('/').next().unwrap_or(file)
}

/// The frozen excerpt around a place, if the run found the source.
pub(crate) fn source(seen: &Evidence, place: Option<&Location>) -> Option<Exhibit> {
    let place = place?;
    let (file, line) = (place.file.as_deref()?, place.line?);
    let of = seen
        .sources
        .iter()
        .find(|excerpt| excerpt.file == file && excerpt.line == line)?;
    Some(excerpt(of))
}

fn excerpt(of: &SourceExcerpt) -> Exhibit {
    let numbered = of.lines.iter().zip(of.first..);
    let lines = numbered
        .map(|(text, number)| SourceLine {
            number,
            text: text.clone(),
        })
        .collect();
    Exhibit::Source {
        file: of.file.clone(),
        line: of.line,
        lines,
    }
}

/// What a goroutine is doing, in words: the blocking call at its leaf.
pub(crate) fn doing(stack: &Stack) -> String {
    if let Some(state) = &stack.state {
        return state.clone();
    }
    if let Some(word) = task::waits_for(&stack.frames) {
        return word.into();
    }
    let leaf = |frame: &&Frame| {
        let function = frame.function.as_str();
        !function.starts_with("runtime.gopark") && !function.starts_with("runtime.goparkunlock")
    };
    let Some(frame) = stack.frames.iter().find(leaf) else {
        return "running".into();
    };
    match frame.function.as_str() {
        "runtime.selectgo" => "select".into(),
        "runtime.chansend" | "runtime.chansend1" => "chan send".into(),
        "runtime.chanrecv" | "runtime.chanrecv1" | "runtime.chanrecv2" => "chan receive".into(),
        "runtime.semacquire1"
        | "sync.runtime_SemacquireMutex"
        | "internal/sync.runtime_SemacquireMutex" => "a mutex".into(),
        "time.Sleep" => "time.Sleep".into(),
        other => short(other).to_owned(),
    }
}

/// The same of a goroutine that works for the service's own code: where it is deep in a library,
/// what that code called there says more than the library's innermost function.
pub(crate) fn doing_for(seen: &Evidence, of: &Stack) -> String {
    let word = doing(of);
    let own = |frame: &Frame| handler::is_own(frame, seen.build.as_ref());
    let called = of
        .frames
        .iter()
        .position(own)
        .and_then(|own| of.frames.get(own.checked_sub(1)?));
    match called {
        Some(frame) if of.frames.iter().any(|any| short(&any.function) == word) => {
            short_versioned(&frame.function).to_owned()
        }
        _ => word,
    }
}

/// The same for packages called after their version: `inventory/v1.(*client).Check`.
fn short_versioned(function: &str) -> &str {
    let name = short(function);
    let is_version = name
        .strip_prefix('v')
        .is_some_and(|rest| rest.starts_with(|digit: char| digit.is_ascii_digit()));
    let before = function.len() - name.len();
    let parent = function[..before.saturating_sub(1)].rfind('/');
    match parent.filter(|_| is_version) {
        Some(parent) => &function[parent + 1..],
        None => name,
    }
}

/// `orders.(*Server).Search` of `shop.test/internal/orders.(*Server).Search`.
pub(crate) fn short(function: &str) -> &str {
    function.rsplit('/').next().unwrap_or(function)
}

/// `Orders/Search` of `orders.v1.Orders/Search`; HTTP subjects stay as they are.
pub(crate) fn short_subject(subject: &str) -> &str {
    if subject.contains(' ') {
        return subject;
    }
    let (service, _) = subject.split_once('/').unwrap_or((subject, ""));
    service
        .rfind('.')
        .map_or(subject, |dot| &subject[dot + 1..])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stack(functions: &[&str]) -> Stack {
        let frame = |function: &&str| Frame {
            function: (*function).into(),
            file: "x.go".into(),
            line: 1,
        };
        Stack {
            frames: functions.iter().map(frame).collect(),
            ..Stack::default()
        }
    }

    #[test]
    fn the_services_own_frame_is_shown_however_deep_it_waits() {
        let seen = Evidence::default();
        let check = |libraries: usize| {
            let functions = [
                vec!["db.read"; libraries],
                vec!["main.find", "net/http.serve"],
            ];
            let exhibit = stack_to_own(&seen, "x", &stack(&functions.concat()));
            let Exhibit::Stack { title, frames } = exhibit else {
                panic!("a stack");
            };
            let own = frames
                .iter()
                .position(|frame| frame.starts_with("main.find"));
            (title, own)
        };
        assert_eq!(check(3), ("x".to_owned(), Some(3)));
        assert_eq!(check(10), ("x".to_owned(), Some(10)));
        let (title, own) = check(30);
        assert_eq!(own, Some(LEAVES));
        assert!(title.contains("innermost 26 frames"), "{title}");
    }

    #[test]
    fn what_the_service_called_is_said_and_not_where_a_library_waits() {
        let seen = Evidence::default();
        let check = |functions: &[&str]| doing_for(&seen, &stack(functions));
        let wait = "google.golang.org/grpc/internal/transport.(*ClientStream).waitOnHeader";
        assert_eq!(
            check(&[
                "runtime.gopark",
                wait,
                "shop.test/inventory/v1.(*client).Check",
                "main.find"
            ]),
            "inventory/v1.(*client).Check"
        );
        assert_eq!(
            check(&[
                "internal/poll.(*FD).Read",
                "shop.test/db.Query",
                "main.find"
            ]),
            "db.Query"
        );
        assert_eq!(check(&["time.Sleep", "main.find"]), "time.Sleep");
        assert_eq!(
            check(&[
                "runtime.gopark",
                "runtime.selectgo",
                "db.Query",
                "main.find"
            ]),
            "select"
        );
        assert_eq!(check(&["db.Query", "other.find"]), "db.Query");
    }
}
