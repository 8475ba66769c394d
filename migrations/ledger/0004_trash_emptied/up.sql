-- JSON: the stores whose trash was emptied at the end of the run, each with what that freed.
ALTER TABLE runs ADD COLUMN trash_emptied TEXT NOT NULL DEFAULT '[]';
