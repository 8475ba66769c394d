-- JSON: the hooks of the run's task that failed, each with its error.
ALTER TABLE runs ADD COLUMN hook_errors TEXT NOT NULL DEFAULT '[]';
