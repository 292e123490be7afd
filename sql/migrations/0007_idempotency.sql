comment on table idempotency_keys is
    'Answers given to requests that carried an Idempotency-Key, stored with what they made. Kept for 72 hours.';
comment on column idempotency_keys.replays is
    'How often the answer was given again. Counting makes a replay a write, which waits for the standby like the first.';
comment on column idempotency_keys.status is 'The HTTP status of the answer.';
comment on column idempotency_keys.body is 'The answer, byte by byte. Holds personal data.';
