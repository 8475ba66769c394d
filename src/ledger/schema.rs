//! The ledger's tables as diesel knows them; `migrations/ledger` makes them.

diesel::table! {
    runs (run_id) {
        run_id -> Text,
        mode -> Text,
        trigger -> Text,
        task -> Nullable<Text>,
        due_at -> Nullable<Text>,
        seat -> Nullable<Integer>,
        pid -> BigInt,
        status -> Nullable<Text>,
        cause -> Nullable<Text>,
        started_at -> Text,
        finished_at -> Nullable<Text>,
        duration_ms -> BigInt,
        totals -> Text,
        hook_errors -> Text,
        trash_emptied -> Text,
        asked -> Nullable<Text>,
    }
}

diesel::table! {
    policy_results (id) {
        id -> BigInt,
        run_id -> Text,
        policy -> Text,
        status -> Nullable<Text>,
        error_count -> BigInt,
        tally -> Text,
        account -> Nullable<Text>,
    }
}

diesel::table! {
    intents (id) {
        id -> BigInt,
        run_id -> Text,
        policy -> Text,
        source -> Text,
        source_identity -> Text,
        table_name -> Text,
        transaction_id -> Nullable<Text>,
        committed -> Bool,
        recorded_at -> Text,
        tally -> Text,
        file_count -> BigInt,
        items -> Text,
    }
}

diesel::table! {
    leases (policy) {
        policy -> Text,
        token -> BigInt,
        run_id -> Nullable<Text>,
        pid -> BigInt,
        since -> Text,
    }
}

diesel::table! {
    tasks (task) {
        task -> Text,
        known_since -> Text,
        last_due_at -> Nullable<Text>,
    }
}

diesel::table! {
    stores (store) {
        store -> Text,
        id -> Text,
        adopted_at -> Text,
    }
}

diesel::table! {
    clock (id) {
        id -> Integer,
        seen_at -> Text,
        boot_id -> Nullable<Text>,
        up_ms -> BigInt,
        confirmed_by -> Nullable<Text>,
        confirmed_at -> Nullable<Text>,
        confirmed_boot_id -> Nullable<Text>,
    }
}

diesel::table! {
    baselines (policy) {
        policy -> Text,
        wording -> Text,
        fingerprint -> Text,
        since -> Text,
    }
}

diesel::table! {
    approvals (id) {
        id -> BigInt,
        policy -> Text,
        fingerprint -> Text,
        wording -> Text,
        amount -> BigInt,
        shown_at -> Text,
        approved_at -> Text,
        approver -> Text,
        used_by -> Nullable<Text>,
    }
}

diesel::table! {
    holds (policy) {
        policy -> Text,
        since -> Text,
        hold -> Text,
    }
}

diesel::table! {
    audit (number) {
        number -> BigInt,
        at -> Text,
        by -> Nullable<Text>,
        action -> Text,
        subject -> Text,
        detail -> Text,
        previous -> Text,
        hash -> Text,
    }
}

diesel::table! {
    totals (policy) {
        policy -> Text,
        since -> Text,
        runs -> BigInt,
        rows_deleted -> BigInt,
        rows_updated -> BigInt,
        files_deleted -> BigInt,
        bytes_reclaimed -> BigInt,
    }
}

diesel::table! {
    surveys (policy) {
        policy -> Text,
        seen_at -> Text,
        survey -> Text,
    }
}

diesel::table! {
    facts (name) {
        name -> Text,
        value -> Text,
    }
}

diesel::table! {
    notices (destination, event, subject) {
        destination -> Text,
        event -> Text,
        subject -> Text,
        digest -> Text,
        notice -> Text,
    }
}

diesel::table! {
    outbox (number) {
        number -> BigInt,
        destination -> Text,
        event -> Text,
        subject -> Text,
        at -> Text,
        payload -> Text,
        attempts -> BigInt,
        try_at -> Nullable<Text>,
        error -> Nullable<Text>,
    }
}

diesel::allow_tables_to_appear_in_same_query!(runs, intents, policy_results, leases, tasks, stores, baselines);
