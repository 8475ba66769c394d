//! The long texts of help and manual pages.

pub const ABOUT: &str = "Deletes old rows and the files they point to, on schedule";

pub const LONG_ABOUT: &str = "\
Enforces data retention on databases and on the files that their rows point to.

What may go, and when, is declared in TOML. The daemon does it on schedule, in small batches, and removes a file only \
after the deletion of its row has committed. `retaind plan` shows beforehand exactly what a run would do.";

pub const MAIN: &str = "\
Examples:
  Check everything, as the service's user, before the service is started:
      sudo -u retaind retaind check
  See what would be deleted, and delete nothing:
      retaind plan
  Do one policy now:
      retaind run detections
  See what a reload would change, and agree to what it would hold:
      retaind diff --plan
      retaind approve
  See what the daemon did and when it is next due:
      retaind status
      retaind runs

Exit status:
   0  done
   1  failed
   2  wrong usage
   3  completed with errors
   4  blocked by a guard, or held
   5  cancelled
  78  bad configuration

Files:
  /etc/retaind/retaind.toml    the configuration
  /etc/retaind/conf.d/*.toml   fragments, read after it in name order; a later key wins
  /var/lib/retaind/            the ledger: runs, results, files still pending

Environment:
  RETAIND_CONFIG=/srv/retaind.toml          names the configuration; --config overrides it
  RETAIND__POLICIES__DETECTIONS__KEEP=60d   overrides a key of the files; --set overrides both
  RETAIND_…                                 any other is an error, but for those that hooks are given
  NO_COLOR                                  no colour where it is set";

pub const CONFIG_FILE: &str = "\
The configuration; fragments in conf.d beside it are read after it [env: RETAIND_CONFIG] [default: /etc/retaind/retaind.toml]";

pub const DAEMON: &str = "\
This is what the service runs. It tells systemd when it is ready, reloads its configuration on SIGHUP, and on SIGTERM \
ends the current batch and stops within shutdown_grace. A second daemon on the same state directory refuses to start.";

pub const DAEMON_EXAMPLES: &str = "\
Examples:
  Start it now and at every boot:
      systemctl enable --now retaind
  Apply a changed configuration; a bad one leaves the old one running:
      systemctl reload retaind
  Run it in the foreground, deleting nothing:
      retaind daemon --set daemon.mode=report";

pub const CHECK: &str = "\
Looks at the configuration, the connection to every source, tables, columns, keys and indexes, privileges, stores and \
the state directory. Each problem is shown with its fix: a drop-in, a GRANT, a CREATE INDEX. Run it \
as the service's user: another user may be able to do more, or less.

--script prints the fixes of all that is found as one shell script, to be read and then run as root: logins, grants, indexes, rights \
of files, drop-ins, and the restart, each once. What a person has to decide stands in it as a remark. It ends with 0.

Exit status: 0 usable (there may be warnings), 1 there is a problem, 78 the configuration is bad.";

pub const CHECK_EXAMPLES: &str = "\
Examples:
  Everything, as the service sees it:
      sudo -u retaind retaind check
  Only the configuration, without any connection:
      retaind check --config-only
  All fixes at once:
      sudo -u retaind retaind check --script > fixes.sh
  For a program:
      retaind check --json | jq '.findings[] | select(.level == \"error\")'";

pub const PLAN: &str = "\
Shows what a run would do, by the same code that runs, and deletes nothing: for each policy the cutoff, rows, files, \
bytes, how near its guards are, and a sample. Needs no ledger. It goes by the configuration on disk; --in-force asks the daemon, \
which goes by the one that it works by.

NAME is a task or a policy; task:NAME and policy:NAME tell apart what has the same name. Without names: every policy \
that is switched on and has a task that is switched on. A policy that takes parameters has no task: name it, and give \
each with --param.

Exit status: 0 planned; with --exit-code 0 a run would do nothing, 3 it would do something; 3 planned with errors; 4 a policy would \
be blocked; 1 none could be planned; 5 stopped by a signal.";

pub const PLAN_EXAMPLES: &str = "\
Examples:
  Everything that is scheduled:
      retaind plan
  What if detections were kept for 60 days?
      retaind plan detections --set policies.detections.keep=60d
  Every row key and file path, one JSON object a line; the sums go to standard error:
      retaind plan detections --list > planned.jsonl
  What would the daemon do, whatever is written by now?
      retaind plan --in-force
  A policy that takes a parameter:
      retaind plan session-images --param session_id=42
  In a script, is there anything to do?
      retaind plan --exit-code > /dev/null; [ $? -eq 3 ] && echo yes";

pub const RUN: &str = "\
Runs policies now, batch by batch, and records the run in the ledger like a scheduled one. A policy never runs twice at \
once, whoever started it. Ctrl-C ends the current batch and stops; a second one stops at once, and what was left is \
settled before the next run.

NAME is a task or a policy; task:NAME and policy:NAME tell apart what has the same name. Without names: every policy \
that is switched on and has a task that is switched on, which is what `retaind plan` without names shows. On a terminal it then \
shows what each policy would delete, and asks; --yes, names, or no terminal: it does not. A policy that takes parameters has \
no task: name it, and give each with --param.

A policy whose configuration became wider than what was approved is held. Named on a terminal it is shown, and approved where \
the answer is yes; named with --yes it is approved without a question; else it ends as blocked. With --set this holds for the \
one run, and the configuration that is written stays as held as it was.

Exit status: as of every command; 5 also where the answer was no.";

pub const RUN_EXAMPLES: &str = "\
Examples:
  One task, as the schedule would run it:
      retaind run retention
  Everything that is scheduled, from a script:
      retaind run --yes
  See what it would do, as `retaind plan` shows it:
      retaind run -n
  Decide and record everything, delete nothing:
      retaind run --mode report
  A policy that takes a parameter:
      retaind run session-images --param session_id=42
  For a program, with the result as JSON:
      retaind run detections --json | jq .totals";

pub const CANCEL: &str = "\
Asks the daemon to stop a run, whoever asked for it or when the schedule began it. It stops between two batches, within a second, \
ends as cancelled, and keeps what it did. A run that a command does by itself is stopped by Ctrl-C in its terminal.";

pub const CANCEL_EXAMPLES: &str = "\
Examples:
  Stop the only run that is under way:
      retaind cancel
  Stop one of several, which `retaind status` shows:
      retaind cancel 5ae00c1d";

pub const PAUSE: &str = "\
No run takes anything by a policy that is paused, whoever asks for it; one that is under way stops after its batch. A task that \
is paused skips its slots and is not run as a whole. A pause outlives the daemon and the ledger: it holds until `retaind resume`.";

pub const PAUSE_EXAMPLES: &str = "\
Examples:
  Keep all detections while the application is migrated:
      retaind pause detections --reason \"migration to version 9\"
  Rest the schedule of a task:
      retaind pause retention
  See what is paused:
      retaind status";

pub const RESUME: &str = "\
Takes the pause of a task or policy away. Slots that passed meanwhile are not made up for: the task runs when it is next due.";

pub const RESUME_EXAMPLES: &str = "\
Examples:
  Let a policy go on:
      retaind resume detections";

pub const APPROVE: &str = "\
What lets a policy take more than somebody has agreed to is held: a shorter keep, another table, a fragment that takes a \
condition away; a run far larger than usual; a new ledger beside an old store. This shows what each such policy would take under \
the approved configuration and under the one that is written, with a sample, and asks. Whoever agrees lets its next runs go on.

One approval also lifts max_rows, max_fraction, max_files and max_growth, for one run and for no more than was shown: what comes \
up later is none of it. What an approval does not lift (another disk in a store's place, clocks that differ) is shown, and not \
approved.

NAME is a task or a policy. Without names, on a terminal: what is held. The ledger keeps who agreed, when, and to how much.

With --clock: that the machine's clock is right although it leapt. It counts until the clock leaps again.

Exit status: 0 approved, or nothing is held; 1 the configuration changed meanwhile; 2 nobody could be asked and --yes is \
missing; 4 something stands in the way of a policy; 5 the answer was no.";

pub const APPROVE_EXAMPLES: &str = "\
Examples:
  Look at what is held, and decide:
      sudo -u retaind retaind approve
  One policy, without a question:
      sudo -u retaind retaind approve detections --yes
  In a script that has put a new configuration into place, before the service is started or reloaded:
      retaind approve --all --yes
  After the clock was set:
      sudo -u retaind retaind approve --clock";

pub const DIFF: &str = "\
Shows what differs between the configuration that the daemon works by and the one on disk, one thing a line, and which policies \
would be held until somebody approved them. It needs no running daemon: the ledger remembers by what the last one worked. Where \
none ever ran, each policy is compared with what was approved.

Exit status: 0 nothing would be held, whether anything differs or not; 4 something would be held; 78 the configuration is bad.";

pub const DIFF_EXAMPLES: &str = "\
Examples:
  Before a reload:
      sudo -u retaind retaind diff
  With old and new counts of each policy that differs:
      sudo -u retaind retaind diff --plan
  In a script, quiet unless something would be held:
      retaind diff --held";

pub const ADOPT: &str = "\
Shows what is beneath the root of a store: the disk it is on, whose it is, how much it holds, and whether the paths that rows \
have written lead to files that are there. Then, after a question, it writes .retaind/store.json there, by which runs know the \
store again. Policies of files and orphans remove nothing in a store that is not adopted, and a store that once was adopted \
and has lost its marker is guarded against every policy: most likely its disk is not mounted.

A marker of another store, or one that was written on another file system, is left alone unless --again is given.

Exit status: 0 adopted, or it was before; 2 nobody could be asked and --yes is missing; 4 another marker is there; 5 the \
answer was no.";

pub const ADOPT_EXAMPLES: &str = "\
Examples:
  Look, and decide:
      sudo -u retaind retaind adopt thumbnails
  After moving the files to another disk:
      sudo -u retaind retaind adopt thumbnails --again
  In a script, after the disk is mounted:
      retaind adopt thumbnails --yes --json | jq .references";

pub const RESTORE: &str = "\
Puts files that a run moved into the trash of their stores back where they were, with the directories around them. Never \
takes the place of a file that is there: such a one stays in the trash, and is listed. May be given again at any time, and \
goes on where it was broken off.

Rows are not restored. A file that no row names any more is an orphan again: switch off the policy that took it, or bring \
its row back, before its next run.

RUN may be shortened to a beginning or end that only one run has of which there is trash.

Exit status: 0 all is back; 1 nothing could be done; 2 there is no such run or path; 3 something stays in the trash; 5 stopped \
by a signal.";

pub const RESTORE_EXAMPLES: &str = "\
Examples:
  Everything that a run took:
      retaind runs
      sudo -u retaind retaind restore 0000beef
  One directory and one file:
      sudo -u retaind retaind restore 0000beef 2026/01 2026/02/a.jpg
  For a program:
      retaind restore 0000beef --json | jq .stores";

pub const STATUS: &str = "\
Shows for every task its schedule, its next slot and its last run; what runs at the moment; and files that are still \
pending: their row is gone, and they are removed before the policy's next run. \"never\" and \"overdue\" stand out.

Needs the state directory only: with an error in the configuration, or without the passwords that it names, it shows the \
configuration that was last in force, says what is wrong with the one on disk, and ends with 0.

--check is a plug-in for Nagios, Icinga and their kin: one line on standard output, and as exit status 0 all is well, 1 warning, \
2 critical, 3 unknown. Which matter is which stands in docs/operations.md. Without --check the exit status is 0 whatever needs \
attention.

--ready asks nothing but whether the daemon answers, for the health check of a container and for scripts: 0 it does, 1 it does \
not, or not in time.";

pub const STATUS_EXAMPLES: &str = "\
Examples:
  At a glance:
      retaind status
  Again and again, while a run goes on:
      retaind status --watch
  For a monitor:
      sudo -u retaind retaind status --check
  Until the daemon is there:
      until retaind status --ready; do sleep 1; done
  For another one, the codes of all that wants a person's attention:
      retaind status --json | jq -r '.attention_codes[].code'";

pub const STATS: &str = "\
Counts for each policy what it could clean now: eligible rows, the oldest of them, for how long that one has been eligible \
(the backlog), rows that something keeps, those in its scope whatever their age, and the policy's last run. Then what each \
policy took in all since the ledger began, and for each store what is known of it: files and bytes as a policy saw them last, \
free room, trash, and the orphans that the last scan found. Deletes nothing, goes through no store, and needs no ledger.

Takes a second at most, however large the tables are. What cannot be counted in that time is estimated by the database's \
planner, on SQLite from a sample (\"≈\"), or counted as far as the time went (\"≥\"); in JSON \"estimated\" is then true. A policy is falling behind when \
its backlog is longer than two periods of its schedule.

NAME is as for `retaind plan`. Without names: every policy that is switched on, scheduled or not; those that take \
parameters only if these are given with --param.

Exit status: 0 every policy was looked at; 3 some could not be, or not in time; 1 none.";

pub const STATS_EXAMPLES: &str = "\
Examples:
  Everything:
      retaind stats
  One task's policies:
      retaind stats retention
  For a monitor, policies that fall behind:
      retaind stats --json | jq -e '[.policies[] | select(.falling_behind)] == []'
  What was deleted in all:
      retaind stats --json | jq '.totals[] | {policy, rows_deleted, bytes_reclaimed}'";

pub const WHY: &str = "\
Says of one row, for each policy that has a say in it, when it goes and by which run, or what keeps it: too young, its \
`where`, a date that is missing or cannot be read, a row that protects it, a child that keeps it, work that still goes on, a \
lock, a policy or task that is switched off, report mode. Also which files go with it, and which stay because another row \
names them. The database judges the row by the same SQL as a run does. Changes nothing; where a policy asks a command \
whether work still goes on, that command is run for this row.

KEY is written as `retaind plan --list` and errors show it; a key of several columns is a JSON array.

Of a file in a store it says which rows name it, and for each policy of files or orphans that goes through the store when \
the file goes, or what keeps it: a row that names it, too young, its `match`, one of the newest, a store that is not adopted, \
report mode. PATH begins at the store's root, or is absolute, or is written as rows write it.

Exit status: 0 answered, whatever the answer; 1 there is no such row or file; 2 no policy has a say in the table, or there is \
no such store.";

pub const WHY_EXAMPLES: &str = "\
Examples:
  Why is detection 17 still there?
      retaind why nvr.detections 17
  Why is this file still there?
      retaind why thumbnails 2026/01/a.jpg
  A key of two columns, in another schema:
      retaind why nvr.public.readings '[\"cam-1\",\"17\"]'
  For a program:
      retaind why nvr.detections 17 --json | jq '.policies[] | {policy, fate, reasons}'";

pub const RUNS: &str = "\
Lists the runs in the ledger, newest first, or shows one with all its results, as `retaind run` printed it. An ID may be \
shortened to a beginning or end that only one run has: the list shows such an end. Like `retaind status` it needs the state \
directory only.

A run that only reported shows what would have gone.";

pub const RUNS_EXAMPLES: &str = "\
Examples:
  The last twenty:
      retaind runs
  Those of a week in which a policy was blocked:
      retaind runs --policy detections --status blocked --since 7d
  One of them, with its errors:
      retaind runs 0000beef
  Everything about it:
      retaind runs 0000beef --json";

pub const AUDIT: &str = "\
Lists what was asked for and by whom, newest first: each run that began, with the fingerprints of its policies, overrides and \
parameters; approvals, confirmed clocks, pauses, cancelled runs, reloads, adopted stores, restorations, pending files that were \
tried again or forgotten, tokens. What the schedule and the \
daemon began of themselves is by `retaind`. Like `retaind status` it needs the state directory only.

Each entry has the hash of the one before it. `verify` goes through all of them: one that was changed or taken out afterwards breaks \
the chain there. It prints the hash of the newest, which, kept elsewhere, shows later that none was taken off the end. \
[ledger] keep_audit says how long entries are kept.

Exit status: as of every command; of verify 0 all is as it was written, 1 an entry is not.";

pub const AUDIT_EXAMPLES: &str = "\
Examples:
  The last twenty:
      retaind audit
  Who has approved what:
      retaind audit -n 1000 --json | jq '.[] | select(.action == \"approve\") | {at, by, subject}'
  Is the record as it was written?
      retaind audit verify";

pub const CONFIG: &str = "\
`show` prints every key with its value and where that comes from: a file and its line, an environment variable, --set, or the \
default. Passwords are left out.

`schema` prints the JSON schema of the configuration. Editors that know TOML complete and explain keys by it and mark what is wrong: \
taplo, and with it \"Even Better TOML\", go by a first line `#:schema /usr/share/retaind/retaind.schema.json`, which is where the \
package has it. What only a look at all files can tell, `retaind check` says.";

pub const CONFIG_EXAMPLES: &str = "\
Examples:
  For an editor on another machine:
      retaind config schema > retaind.schema.json
  Every key of a policy:
      retaind config schema | jq -r '.\"$defs\".Policy.properties | keys[]'
  Why is detections kept so long?
      sudo -u retaind retaind config show | grep '^policies.detections'";

pub const COMPLETIONS: &str = "\
Prints a completion script for a shell. The package installs them already. The shell then asks retaind itself, which knows the \
keys that --set takes, and the policies, tasks, stores and runs of the configuration that is named on the line, as far as \
whoever asks may read it.";

pub const COMPLETIONS_EXAMPLES: &str = "\
Examples:
  For this user's bash:
      retaind completions bash > ~/.local/share/bash-completion/completions/retaind";
