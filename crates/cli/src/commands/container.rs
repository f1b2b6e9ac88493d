//! Commands that have a service run by somebody else, and what to do instead.

/// Programs that only ask a daemon or a cluster to run something.
const ELSEWHERE: &[(&str, &str)] = &[
    ("docker", "docker logs -f --tail 0 NAME 2>&1"),
    ("podman", "podman logs -f --tail 0 NAME 2>&1"),
    ("nerdctl", "nerdctl logs -f --tail 0 NAME 2>&1"),
    (
        "docker-compose",
        "docker compose logs -f --no-log-prefix --tail 0 NAME 2>&1",
    ),
    ("podman-compose", "podman-compose logs -f NAME 2>&1"),
    ("kubectl", "kubectl logs -f --tail=0 POD"),
    ("oc", "oc logs -f --tail=0 POD"),
    ("systemctl", ""),
    ("systemd-run", ""),
];
/// Programs that run what stands after them.
const BEFORE: &[&str] = &[
    "sudo", "doas", "env", "exec", "nohup", "time", "nice", "setsid",
];

/// Why a command cannot be watched, and what to do instead; nothing for one that can.
pub(crate) fn advice(command: &[String]) -> Option<String> {
    // A program of that name in a folder of the user's is the user's.
    let of_system = |word: &&str| {
        word.strip_prefix('/')
            .is_some_and(|path| path.contains("bin/"))
    };
    let name = |word: &String| {
        let path = Some(word.as_str()).filter(of_system);
        path.and_then(|path| path.rsplit('/').next())
            .unwrap_or(word)
            .to_owned()
    };
    let is_setting = |word: &String| word.starts_with('-') || word.contains('=');
    let mut words = command
        .iter()
        .filter(|word| !is_setting(word))
        .map(name)
        .skip_while(|word| BEFORE.contains(&word.as_str()));
    let program = words.next()?;
    let (_, logs) = ELSEWHERE.iter().find(|(known, _)| *known == program)?;
    if logs.is_empty() {
        return Some(format!(
            "{program} has systemd start the service: it would not be ours to watch or to end.\n\
             Run the service's own command (`systemctl cat UNIT` shows ExecStart=), or attach to the one that runs:\n  \
             shakedown check --pid $(systemctl show -p MainPID --value UNIT) --logs journald:UNIT --http 'GET /path'"
        ));
    }
    let forward = if matches!(program.as_str(), "kubectl" | "oc") {
        format!("{program} port-forward POD 8080 6060 &")
    } else {
        format!("{program} run -p 127.0.0.1:8080:8080 -p 127.0.0.1:6060:6060 … &")
    };
    Some(format!(
        "{program} has the service run by somebody else: its processes would not be ours to watch or to end.\n\
         Start it with its ports published, and attach by its addresses:\n  \
         {forward}\n  \
         {logs} | shakedown check --logs - --http 'GET http://127.0.0.1:8080/path' --pprof 127.0.0.1:6060\n\
         or run the service itself: shakedown check -- ./service"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str) -> Option<String> {
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        advice(&words)
    }

    #[test]
    fn what_others_run_is_refused_with_advice() {
        for line in [
            "docker run -p 1:1 orders",
            "/usr/bin/docker compose up",
            "sudo -E docker run orders",
            "env A=b podman run orders",
            "kubectl run orders",
            "docker-compose up",
        ] {
            let advice = check(line).expect(line);
            assert!(
                advice.contains("--logs -") && advice.contains("--pprof"),
                "{advice}"
            );
        }
        let advice = check("sudo systemctl start orders").expect("systemd's");
        assert!(advice.contains("journald:UNIT"), "{advice}");
    }

    #[test]
    fn a_service_of_its_own_is_not() {
        for line in [
            "./orders docker",
            "./docker-registry",
            "./docker run",
            "service -http :8080",
            "env A=b ./orders",
            "sudo ./orders",
            "sh -c docker",
        ] {
            assert_eq!(check(line), None, "{line}");
        }
    }
}
