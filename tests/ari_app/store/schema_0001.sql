BEGIN TRANSACTION;
CREATE TABLE "_sqlite_migrations" (
   "id" INTEGER PRIMARY KEY,
   "migration_set" TEXT,
   "name" TEXT,
   "applied_at" TEXT
);
INSERT INTO "_sqlite_migrations" VALUES(1,'ringback','0001_books','2026-11-24 04:02:45.631921+00:00');
CREATE TABLE bookmarks (
            name TEXT PRIMARY KEY,
            value TEXT NOT NULL
        ) STRICT, WITHOUT ROWID;
CREATE TABLE consent (
            number TEXT NOT NULL,
            channel TEXT NOT NULL,
            state TEXT NOT NULL,
            source TEXT NOT NULL,
            at TEXT NOT NULL,
            seq INTEGER NOT NULL,
            PRIMARY KEY (number, channel)
        ) STRICT, WITHOUT ROWID;
INSERT INTO "consent" VALUES('+13055550144','call','opted_out','sms:stop','2026-11-24T17:01:00.000000+00:00',8);
INSERT INTO "consent" VALUES('+13055550144','text','opted_out','sms:stop','2026-11-24T17:01:00.000000+00:00',8);
CREATE TABLE consent_log (
            seq INTEGER NOT NULL REFERENCES events (seq),
            number TEXT NOT NULL,
            channel TEXT NOT NULL,
            state TEXT NOT NULL,
            source TEXT NOT NULL,
            at TEXT NOT NULL
        ) STRICT;
INSERT INTO "consent_log" VALUES(8,'+13055550144','text','opted_out','sms:stop','2026-11-24T17:01:00.000000+00:00');
INSERT INTO "consent_log" VALUES(8,'+13055550144','call','opted_out','sms:stop','2026-11-24T17:01:00.000000+00:00');
CREATE TABLE decisions (
            seq INTEGER NOT NULL REFERENCES events (seq),
            n INTEGER NOT NULL,
            lead_id INTEGER,
            action TEXT NOT NULL,
            outcome TEXT NOT NULL,
            rule TEXT NOT NULL,
            why TEXT NOT NULL,
            PRIMARY KEY (seq, n)
        ) STRICT, WITHOUT ROWID;
INSERT INTO "decisions" VALUES(1,0,1,'text','allowed','CNS-01','an informational text about the caller''s own call');
INSERT INTO "decisions" VALUES(2,0,1,'callback','refused','CNS-02','the caller hung up before hearing the notice');
INSERT INTO "decisions" VALUES(4,0,2,'text','allowed','CNS-01','an informational text about the caller''s own call');
INSERT INTO "decisions" VALUES(5,0,2,'callback','refused','CNS-02','the caller hung up before hearing the notice');
INSERT INTO "decisions" VALUES(6,0,3,'text','allowed','CNS-01','an informational text about the caller''s own call');
INSERT INTO "decisions" VALUES(7,0,3,'text','held','DBT-01','nobody knows whether it went out: it is not sent again');
INSERT INTO "decisions" VALUES(7,1,3,'callback','refused','CNS-02','the caller hung up before hearing the notice');
INSERT INTO "decisions" VALUES(8,0,3,'plan','refused','REV-01','the person asked not to be contacted (sms:stop)');
INSERT INTO "decisions" VALUES(8,1,3,'stop_confirmation','allowed','REV-04','an answer to the person''s own text');
CREATE TABLE events (
            seq INTEGER PRIMARY KEY,
            lead_id INTEGER REFERENCES leads (id),
            source_id TEXT NOT NULL UNIQUE,
            type TEXT NOT NULL,
            version INTEGER NOT NULL,
            at TEXT NOT NULL,
            policy TEXT NOT NULL REFERENCES policies (version),
            body TEXT NOT NULL,
            facts TEXT NOT NULL
        ) STRICT;
INSERT INTO "events" VALUES(1,1,'call:call-1','CallMissed',1,'2026-11-24T17:00:00.000000+00:00','8863619381653412','{"type":"CallMissed","at":"2026-11-24T17:00:00+00:00","source_id":"call:call-1","call_id":"call-1","caller":"+13055550142","kind":"ordinary","dialled":"+13055550100","office":"miami","entry":"_1305555010X","occurred_at":null,"verdict":"no_answer","rings":3,"ring_seconds":18.0,"on_line":false,"plan":"standard","source":"Main line","listing":null,"caller_name":null,"reached_since":null}','{"type":"Facts","kind":"ordinary","blocked":false,"text":{"type":"Consent","state":"unstated","source":null,"at":null},"call":{"type":"Consent","state":"unstated","source":null,"at":null},"text_window_until":null,"callbacks":0,"replies":0,"contacts_alike":0,"contacts":0,"contact_opens":null,"never_contact_time":false,"agent":"ana","name":null,"email":null,"gateway":"sms","may_call_back":true,"books_lost_until":null}');
INSERT INTO "events" VALUES(2,1,'effect:1.0','EffectSettled',1,'2026-11-24T17:00:00.000000+00:00','8863619381653412','{"type":"EffectSettled","at":"2026-11-24T17:00:00+00:00","source_id":"effect:1.0","effect_id":"1.0","kind":"text","outcome":"done","ref":"a1","why":null,"rule":null}','{"type":"Facts","kind":"ordinary","blocked":false,"text":{"type":"Consent","state":"unstated","source":null,"at":null},"call":{"type":"Consent","state":"unstated","source":null,"at":null},"text_window_until":"2026-11-25T17:00:00+00:00","callbacks":0,"replies":0,"contacts_alike":1,"contacts":1,"contact_opens":null,"never_contact_time":false,"agent":"bob","name":null,"email":null,"gateway":"sms","may_call_back":true,"books_lost_until":null}');
INSERT INTO "events" VALUES(3,1,'sms:1','TextReceived',1,'2026-11-24T17:00:30.000000+00:00','8863619381653412','{"type":"TextReceived","at":"2026-11-24T17:00:30+00:00","source_id":"sms:1","sender":"+13055550142","recipient":"+13055550100","body":"selling my house","office":"miami"}','{"type":"Facts","kind":"ordinary","blocked":false,"text":{"type":"Consent","state":"unstated","source":null,"at":null},"call":{"type":"Consent","state":"unstated","source":null,"at":null},"text_window_until":"2026-11-25T17:00:00+00:00","callbacks":0,"replies":0,"contacts_alike":1,"contacts":1,"contact_opens":null,"never_contact_time":false,"agent":"bob","name":null,"email":null,"gateway":"sms","may_call_back":true,"books_lost_until":null}');
INSERT INTO "events" VALUES(4,2,'call:call-2','CallMissed',1,'2026-11-24T17:01:00.000000+00:00','8863619381653412','{"type":"CallMissed","at":"2026-11-24T17:01:00+00:00","source_id":"call:call-2","call_id":"call-2","caller":"+13055550143","kind":"ordinary","dialled":"+13055550100","office":"miami","entry":"_1305555010X","occurred_at":null,"verdict":"no_answer","rings":3,"ring_seconds":18.0,"on_line":false,"plan":"standard","source":"Main line","listing":null,"caller_name":null,"reached_since":null}','{"type":"Facts","kind":"ordinary","blocked":false,"text":{"type":"Consent","state":"unstated","source":null,"at":null},"call":{"type":"Consent","state":"unstated","source":null,"at":null},"text_window_until":null,"callbacks":0,"replies":0,"contacts_alike":1,"contacts":1,"contact_opens":null,"never_contact_time":false,"agent":"bob","name":null,"email":null,"gateway":"sms","may_call_back":true,"books_lost_until":null}');
INSERT INTO "events" VALUES(5,2,'effect:4.0','EffectSettled',1,'2026-11-24T17:01:00.000000+00:00','8863619381653412','{"type":"EffectSettled","at":"2026-11-24T17:01:00+00:00","source_id":"effect:4.0","effect_id":"4.0","kind":"text","outcome":"failed","ref":null,"why":"no such number","rule":null}','{"type":"Facts","kind":"ordinary","blocked":false,"text":{"type":"Consent","state":"unstated","source":null,"at":null},"call":{"type":"Consent","state":"unstated","source":null,"at":null},"text_window_until":null,"callbacks":0,"replies":0,"contacts_alike":2,"contacts":2,"contact_opens":null,"never_contact_time":false,"agent":"ana","name":null,"email":null,"gateway":"sms","may_call_back":true,"books_lost_until":null}');
INSERT INTO "events" VALUES(6,3,'call:call-3','CallMissed',1,'2026-11-24T17:01:00.000000+00:00','8863619381653412','{"type":"CallMissed","at":"2026-11-24T17:01:00+00:00","source_id":"call:call-3","call_id":"call-3","caller":"+13055550144","kind":"ordinary","dialled":"+13055550100","office":"miami","entry":"_1305555010X","occurred_at":null,"verdict":"no_answer","rings":3,"ring_seconds":18.0,"on_line":false,"plan":"standard","source":"Main line","listing":null,"caller_name":null,"reached_since":null}','{"type":"Facts","kind":"ordinary","blocked":false,"text":{"type":"Consent","state":"unstated","source":null,"at":null},"call":{"type":"Consent","state":"unstated","source":null,"at":null},"text_window_until":null,"callbacks":0,"replies":0,"contacts_alike":2,"contacts":2,"contact_opens":null,"never_contact_time":false,"agent":"ana","name":null,"email":null,"gateway":"sms","may_call_back":true,"books_lost_until":null}');
INSERT INTO "events" VALUES(7,3,'effect:6.0','EffectSettled',1,'2026-11-24T17:01:00.000000+00:00','8863619381653412','{"type":"EffectSettled","at":"2026-11-24T17:01:00+00:00","source_id":"effect:6.0","effect_id":"6.0","kind":"text","outcome":"in_doubt","ref":null,"why":"no answer","rule":null}','{"type":"Facts","kind":"ordinary","blocked":false,"text":{"type":"Consent","state":"unstated","source":null,"at":null},"call":{"type":"Consent","state":"unstated","source":null,"at":null},"text_window_until":"2026-11-25T17:01:00+00:00","callbacks":0,"replies":0,"contacts_alike":3,"contacts":3,"contact_opens":null,"never_contact_time":false,"agent":"bob","name":null,"email":null,"gateway":"sms","may_call_back":true,"books_lost_until":null}');
INSERT INTO "events" VALUES(8,3,'sms:2','TextReceived',1,'2026-11-24T17:01:00.000000+00:00','8863619381653412','{"type":"TextReceived","at":"2026-11-24T17:01:00+00:00","source_id":"sms:2","sender":"+13055550144","recipient":"+13055550100","body":"STOP","office":"miami"}','{"type":"Facts","kind":"ordinary","blocked":false,"text":{"type":"Consent","state":"unstated","source":null,"at":null},"call":{"type":"Consent","state":"unstated","source":null,"at":null},"text_window_until":"2026-11-25T17:01:00+00:00","callbacks":0,"replies":0,"contacts_alike":3,"contacts":3,"contact_opens":null,"never_contact_time":false,"agent":"bob","name":null,"email":null,"gateway":"sms","may_call_back":true,"books_lost_until":null}');
CREATE TABLE last_texts (
            gateway TEXT NOT NULL,
            source TEXT NOT NULL,
            destination TEXT NOT NULL,
            fingerprint TEXT NOT NULL,
            at TEXT NOT NULL,
            PRIMARY KEY (gateway, source, destination)
        ) STRICT, WITHOUT ROWID;
CREATE TABLE leads (
            id INTEGER PRIMARY KEY,
            number TEXT,
            office TEXT NOT NULL,
            stage TEXT NOT NULL,
            opened_at TEXT NOT NULL,
            touched_at TEXT NOT NULL,
            body TEXT NOT NULL
        ) STRICT;
INSERT INTO "leads" VALUES(1,'+13055550142','miami','waiting','2026-11-24T17:00:00.000000+00:00','2026-11-24T17:00:30.000000+00:00','{"type":"Lead","lead_id":1,"number":"+13055550142","office":"miami","dialled":"+13055550100","entry":"_1305555010X","source":"Main line","listing":null,"group":"front","agent":"ana","name":null,"email":null,"opened_at":"2026-11-24T17:00:00+00:00","stage":"waiting","timer":"wait","plan_name":"standard","plan":[{"type":"TextStep","template":"missed","after_hours":"missed_after_hours","late":null},{"type":"CallStep"},{"type":"AlertStep","to":"agent"},{"type":"PushStep"},{"type":"WaitStep","seconds":600.0,"unless":["acknowledged"]},{"type":"AlertStep","to":"floor"},{"type":"WaitStep","seconds":300.0,"unless":["engaged","reached"]},{"type":"EmailStep","template":"follow_up"},{"type":"PushStep"}],"cursor":5,"plan_at":"2026-11-24T17:00:00+00:00","missed_at":"2026-11-24T17:00:00+00:00","waited_seconds":600.0,"call_id":"call-1","on_line":false,"verdict":"no_answer","misses":1,"notice_heard":false,"pressed_one_at":null,"text":"done","text_effect":"1.0","callback":"refused","callback_effect":null,"callback_answered":false,"callback_end":null,"intent":"unstated","lines":[],"replies":["selling my house"],"pushed":true,"engaged":true,"reached_by":null,"acknowledged_by":null,"opted_out":false,"closed_by":null}');
INSERT INTO "leads" VALUES(2,'+13055550143','miami','waiting','2026-11-24T17:01:00.000000+00:00','2026-11-24T17:01:00.000000+00:00','{"type":"Lead","lead_id":2,"number":"+13055550143","office":"miami","dialled":"+13055550100","entry":"_1305555010X","source":"Main line","listing":null,"group":"front","agent":"bob","name":null,"email":null,"opened_at":"2026-11-24T17:01:00+00:00","stage":"waiting","timer":"wait","plan_name":"standard","plan":[{"type":"TextStep","template":"missed","after_hours":"missed_after_hours","late":null},{"type":"CallStep"},{"type":"AlertStep","to":"agent"},{"type":"PushStep"},{"type":"WaitStep","seconds":600.0,"unless":["acknowledged"]},{"type":"AlertStep","to":"floor"},{"type":"WaitStep","seconds":300.0,"unless":["engaged","reached"]},{"type":"EmailStep","template":"follow_up"},{"type":"PushStep"}],"cursor":5,"plan_at":"2026-11-24T17:01:00+00:00","missed_at":"2026-11-24T17:01:00+00:00","waited_seconds":600.0,"call_id":"call-2","on_line":false,"verdict":"no_answer","misses":1,"notice_heard":false,"pressed_one_at":null,"text":"failed","text_effect":"4.0","callback":"refused","callback_effect":null,"callback_answered":false,"callback_end":null,"intent":"unstated","lines":[],"replies":[],"pushed":true,"engaged":false,"reached_by":null,"acknowledged_by":null,"opted_out":false,"closed_by":null}');
INSERT INTO "leads" VALUES(3,'+13055550144','miami','idle','2026-11-24T17:01:00.000000+00:00','2026-11-24T17:01:00.000000+00:00','{"type":"Lead","lead_id":3,"number":"+13055550144","office":"miami","dialled":"+13055550100","entry":"_1305555010X","source":"Main line","listing":null,"group":"front","agent":"ana","name":null,"email":null,"opened_at":"2026-11-24T17:01:00+00:00","stage":"idle","timer":null,"plan_name":"standard","plan":[{"type":"TextStep","template":"missed","after_hours":"missed_after_hours","late":null},{"type":"CallStep"},{"type":"AlertStep","to":"agent"},{"type":"PushStep"},{"type":"WaitStep","seconds":600.0,"unless":["acknowledged"]},{"type":"AlertStep","to":"floor"},{"type":"WaitStep","seconds":300.0,"unless":["engaged","reached"]},{"type":"EmailStep","template":"follow_up"},{"type":"PushStep"}],"cursor":9,"plan_at":"2026-11-24T17:01:00+00:00","missed_at":"2026-11-24T17:01:00+00:00","waited_seconds":600.0,"call_id":"call-3","on_line":false,"verdict":"no_answer","misses":1,"notice_heard":false,"pressed_one_at":null,"text":"in_doubt","text_effect":"6.0","callback":"refused","callback_effect":null,"callback_answered":false,"callback_end":null,"intent":"unstated","lines":[],"replies":[],"pushed":true,"engaged":false,"reached_by":null,"acknowledged_by":null,"opted_out":true,"closed_by":null}');
CREATE TABLE message_refs (
            gateway TEXT NOT NULL,
            ref TEXT NOT NULL,
            outbox_id TEXT NOT NULL,
            segment INTEGER NOT NULL,
            segments INTEGER NOT NULL,
            state TEXT,
            PRIMARY KEY (gateway, ref)
        ) STRICT, WITHOUT ROWID;
INSERT INTO "message_refs" VALUES('sms','a1','1.0',1,1,NULL);
CREATE TABLE outbox (
            n INTEGER PRIMARY KEY,
            id TEXT NOT NULL UNIQUE,
            lead_id INTEGER,
            kind TEXT NOT NULL,
            purpose TEXT NOT NULL,
            number TEXT,
            body TEXT NOT NULL,
            priority INTEGER NOT NULL,
            status TEXT NOT NULL
                CHECK (status IN ('todo', 'doing', 'done', 'failed', 'in_doubt', 'refused', 'cancelled')),
            created_at TEXT NOT NULL,
            not_before TEXT NOT NULL,
            expires_at TEXT,
            attempts INTEGER NOT NULL DEFAULT 0,
            lease_until TEXT,
            settled_at TEXT,
            ref TEXT,
            last_error TEXT
        ) STRICT;
INSERT INTO "outbox" VALUES(1,'1.0',1,'text','text_back','+13055550142','{"type":"SendText","purpose":"text_back","to":"+13055550142","sender":"+13055550100","body":"Harbor Realty (automated): sorry we missed your 12:00 pm call. Are you buying or selling? STOP to opt out.","gateway":"sms","office":"miami","not_before":null,"expires_at":"2026-11-24T17:15:00+00:00","window_until":"2026-11-25T17:00:00+00:00"}',1,'done','2026-11-24T17:00:00.000000+00:00','2026-11-24T17:00:00.000000+00:00','2026-11-24T17:15:00.000000+00:00',1,NULL,'2026-11-24T17:00:00.000000+00:00','a1',NULL);
INSERT INTO "outbox" VALUES(2,'2.0',1,'alert','',NULL,'{"type":"AlertAgent","reason":"missed","agents":["ana"],"record":{"type":"LeadRecord","lead_id":1,"number":"+13055550142","name":null,"email":null,"office":"miami","dialled":"+13055550100","source":"Main line","listing":null,"agent":"ana","verdict":"no_answer","missed_at":"2026-11-24T17:00:00+00:00","misses":1,"text":"done","callback":"refused","callback_end":null,"intent":"unstated","replies":[],"lines":[],"opted_out":false,"acknowledged_by":null,"reached_by":null}}',2,'todo','2026-11-24T17:00:00.000000+00:00','2026-11-24T17:00:00.000000+00:00',NULL,0,NULL,NULL,NULL,NULL);
INSERT INTO "outbox" VALUES(3,'2.1',1,'push','file',NULL,'{"type":"PushLead","target":"file","record":{"type":"LeadRecord","lead_id":1,"number":"+13055550142","name":null,"email":null,"office":"miami","dialled":"+13055550100","source":"Main line","listing":null,"agent":"ana","verdict":"no_answer","missed_at":"2026-11-24T17:00:00+00:00","misses":1,"text":"done","callback":"refused","callback_end":null,"intent":"unstated","replies":[],"lines":[],"opted_out":false,"acknowledged_by":null,"reached_by":null}}',2,'todo','2026-11-24T17:00:00.000000+00:00','2026-11-24T17:00:00.000000+00:00',NULL,0,NULL,NULL,NULL,NULL);
INSERT INTO "outbox" VALUES(4,'3.0',1,'alert','',NULL,'{"type":"AlertAgent","reason":"replied","agents":["ana"],"record":{"type":"LeadRecord","lead_id":1,"number":"+13055550142","name":null,"email":null,"office":"miami","dialled":"+13055550100","source":"Main line","listing":null,"agent":"ana","verdict":"no_answer","missed_at":"2026-11-24T17:00:00+00:00","misses":1,"text":"done","callback":"refused","callback_end":null,"intent":"unstated","replies":["selling my house"],"lines":[],"opted_out":false,"acknowledged_by":null,"reached_by":null}}',2,'todo','2026-11-24T17:00:30.000000+00:00','2026-11-24T17:00:30.000000+00:00',NULL,0,NULL,NULL,NULL,NULL);
INSERT INTO "outbox" VALUES(5,'3.1',1,'push','file',NULL,'{"type":"PushLead","target":"file","record":{"type":"LeadRecord","lead_id":1,"number":"+13055550142","name":null,"email":null,"office":"miami","dialled":"+13055550100","source":"Main line","listing":null,"agent":"ana","verdict":"no_answer","missed_at":"2026-11-24T17:00:00+00:00","misses":1,"text":"done","callback":"refused","callback_end":null,"intent":"unstated","replies":["selling my house"],"lines":[],"opted_out":false,"acknowledged_by":null,"reached_by":null}}',2,'todo','2026-11-24T17:00:30.000000+00:00','2026-11-24T17:00:30.000000+00:00',NULL,0,NULL,NULL,NULL,NULL);
INSERT INTO "outbox" VALUES(6,'4.0',2,'text','text_back','+13055550143','{"type":"SendText","purpose":"text_back","to":"+13055550143","sender":"+13055550100","body":"Harbor Realty (automated): sorry we missed your 12:01 pm call. Are you buying or selling? STOP to opt out.","gateway":"sms","office":"miami","not_before":null,"expires_at":"2026-11-24T17:16:00+00:00","window_until":"2026-11-25T17:01:00+00:00"}',1,'failed','2026-11-24T17:01:00.000000+00:00','2026-11-24T17:01:00.000000+00:00','2026-11-24T17:16:00.000000+00:00',1,NULL,'2026-11-24T17:01:00.000000+00:00',NULL,'no such number');
INSERT INTO "outbox" VALUES(7,'5.0',2,'alert','',NULL,'{"type":"AlertAgent","reason":"text_failed","agents":["bob"],"record":{"type":"LeadRecord","lead_id":2,"number":"+13055550143","name":null,"email":null,"office":"miami","dialled":"+13055550100","source":"Main line","listing":null,"agent":"bob","verdict":"no_answer","missed_at":"2026-11-24T17:01:00+00:00","misses":1,"text":"failed","callback":"refused","callback_end":null,"intent":"unstated","replies":[],"lines":[],"opted_out":false,"acknowledged_by":null,"reached_by":null}}',2,'todo','2026-11-24T17:01:00.000000+00:00','2026-11-24T17:01:00.000000+00:00',NULL,0,NULL,NULL,NULL,NULL);
INSERT INTO "outbox" VALUES(8,'5.1',2,'push','file',NULL,'{"type":"PushLead","target":"file","record":{"type":"LeadRecord","lead_id":2,"number":"+13055550143","name":null,"email":null,"office":"miami","dialled":"+13055550100","source":"Main line","listing":null,"agent":"bob","verdict":"no_answer","missed_at":"2026-11-24T17:01:00+00:00","misses":1,"text":"failed","callback":"refused","callback_end":null,"intent":"unstated","replies":[],"lines":[],"opted_out":false,"acknowledged_by":null,"reached_by":null}}',2,'todo','2026-11-24T17:01:00.000000+00:00','2026-11-24T17:01:00.000000+00:00',NULL,0,NULL,NULL,NULL,NULL);
INSERT INTO "outbox" VALUES(9,'6.0',3,'text','text_back','+13055550144','{"type":"SendText","purpose":"text_back","to":"+13055550144","sender":"+13055550100","body":"Harbor Realty (automated): sorry we missed your 12:01 pm call. Are you buying or selling? STOP to opt out.","gateway":"sms","office":"miami","not_before":null,"expires_at":"2026-11-24T17:16:00+00:00","window_until":"2026-11-25T17:01:00+00:00"}',1,'in_doubt','2026-11-24T17:01:00.000000+00:00','2026-11-24T17:01:00.000000+00:00','2026-11-24T17:16:00.000000+00:00',1,NULL,'2026-11-24T17:01:00.000000+00:00',NULL,'no answer');
INSERT INTO "outbox" VALUES(10,'7.0',3,'alert','',NULL,'{"type":"AlertAgent","reason":"text_in_doubt","agents":["ana"],"record":{"type":"LeadRecord","lead_id":3,"number":"+13055550144","name":null,"email":null,"office":"miami","dialled":"+13055550100","source":"Main line","listing":null,"agent":"ana","verdict":"no_answer","missed_at":"2026-11-24T17:01:00+00:00","misses":1,"text":"in_doubt","callback":"refused","callback_end":null,"intent":"unstated","replies":[],"lines":[],"opted_out":false,"acknowledged_by":null,"reached_by":null}}',2,'todo','2026-11-24T17:01:00.000000+00:00','2026-11-24T17:01:00.000000+00:00',NULL,0,NULL,NULL,NULL,NULL);
INSERT INTO "outbox" VALUES(11,'7.1',3,'push','file',NULL,'{"type":"PushLead","target":"file","record":{"type":"LeadRecord","lead_id":3,"number":"+13055550144","name":null,"email":null,"office":"miami","dialled":"+13055550100","source":"Main line","listing":null,"agent":"ana","verdict":"no_answer","missed_at":"2026-11-24T17:01:00+00:00","misses":1,"text":"in_doubt","callback":"refused","callback_end":null,"intent":"unstated","replies":[],"lines":[],"opted_out":false,"acknowledged_by":null,"reached_by":null}}',2,'todo','2026-11-24T17:01:00.000000+00:00','2026-11-24T17:01:00.000000+00:00',NULL,0,NULL,NULL,NULL,NULL);
INSERT INTO "outbox" VALUES(12,'8.0',3,'text','stop_confirmation','+13055550144','{"type":"SendText","purpose":"stop_confirmation","to":"+13055550144","sender":"+13055550100","body":"Harbor Realty: you are unsubscribed and will get no more texts or calls. Reply START to allow texts again.","gateway":"sms","office":"miami","not_before":null,"expires_at":"2026-11-24T17:06:00+00:00","window_until":null}',0,'todo','2026-11-24T17:01:00.000000+00:00','2026-11-24T17:01:00.000000+00:00','2026-11-24T17:06:00.000000+00:00',0,NULL,NULL,NULL,NULL);
INSERT INTO "outbox" VALUES(13,'8.1',3,'push','file',NULL,'{"type":"PushLead","target":"file","record":{"type":"LeadRecord","lead_id":3,"number":"+13055550144","name":null,"email":null,"office":"miami","dialled":"+13055550100","source":"Main line","listing":null,"agent":"ana","verdict":"no_answer","missed_at":"2026-11-24T17:01:00+00:00","misses":1,"text":"in_doubt","callback":"refused","callback_end":null,"intent":"unstated","replies":[],"lines":[],"opted_out":true,"acknowledged_by":null,"reached_by":null}}',2,'todo','2026-11-24T17:01:00.000000+00:00','2026-11-24T17:01:00.000000+00:00',NULL,0,NULL,NULL,NULL,NULL);
CREATE TABLE outbox_log (
            outbox_id TEXT NOT NULL,
            at TEXT NOT NULL,
            status TEXT NOT NULL,
            why TEXT
        ) STRICT;
INSERT INTO "outbox_log" VALUES('1.0','2026-11-24T17:00:00.000000+00:00','todo',NULL);
INSERT INTO "outbox_log" VALUES('1.0','2026-11-24T17:00:00.000000+00:00','doing',NULL);
INSERT INTO "outbox_log" VALUES('1.0','2026-11-24T17:00:00.000000+00:00','done',NULL);
INSERT INTO "outbox_log" VALUES('2.0','2026-11-24T17:00:00.000000+00:00','todo',NULL);
INSERT INTO "outbox_log" VALUES('2.1','2026-11-24T17:00:00.000000+00:00','todo',NULL);
INSERT INTO "outbox_log" VALUES('3.0','2026-11-24T17:00:30.000000+00:00','todo',NULL);
INSERT INTO "outbox_log" VALUES('3.1','2026-11-24T17:00:30.000000+00:00','todo',NULL);
INSERT INTO "outbox_log" VALUES('4.0','2026-11-24T17:01:00.000000+00:00','todo',NULL);
INSERT INTO "outbox_log" VALUES('4.0','2026-11-24T17:01:00.000000+00:00','doing',NULL);
INSERT INTO "outbox_log" VALUES('4.0','2026-11-24T17:01:00.000000+00:00','failed','no such number');
INSERT INTO "outbox_log" VALUES('5.0','2026-11-24T17:01:00.000000+00:00','todo',NULL);
INSERT INTO "outbox_log" VALUES('5.1','2026-11-24T17:01:00.000000+00:00','todo',NULL);
INSERT INTO "outbox_log" VALUES('6.0','2026-11-24T17:01:00.000000+00:00','todo',NULL);
INSERT INTO "outbox_log" VALUES('6.0','2026-11-24T17:01:00.000000+00:00','doing',NULL);
INSERT INTO "outbox_log" VALUES('6.0','2026-11-24T17:01:00.000000+00:00','in_doubt','no answer');
INSERT INTO "outbox_log" VALUES('7.0','2026-11-24T17:01:00.000000+00:00','todo',NULL);
INSERT INTO "outbox_log" VALUES('7.1','2026-11-24T17:01:00.000000+00:00','todo',NULL);
INSERT INTO "outbox_log" VALUES('8.0','2026-11-24T17:01:00.000000+00:00','todo',NULL);
INSERT INTO "outbox_log" VALUES('8.1','2026-11-24T17:01:00.000000+00:00','todo',NULL);
CREATE TABLE pace (
            bucket TEXT NOT NULL,
            minute INTEGER NOT NULL,
            contacts INTEGER NOT NULL,
            PRIMARY KEY (bucket, minute)
        ) STRICT, WITHOUT ROWID;
INSERT INTO "pace" VALUES('*',29925660,1);
INSERT INTO "pace" VALUES('*',29925661,2);
INSERT INTO "pace" VALUES('+1305555',29925660,1);
INSERT INTO "pace" VALUES('+1305555',29925661,2);
CREATE TABLE parked_receipts (
            gateway TEXT NOT NULL,
            ref TEXT NOT NULL,
            receipt TEXT NOT NULL,
            state TEXT NOT NULL,
            error TEXT,
            at TEXT NOT NULL,
            PRIMARY KEY (gateway, ref)
        ) STRICT, WITHOUT ROWID;
CREATE TABLE people (
            number TEXT PRIMARY KEY,
            name TEXT,
            email TEXT,
            blocked INTEGER NOT NULL DEFAULT 0
        ) STRICT, WITHOUT ROWID;
CREATE TABLE policies (
            version TEXT PRIMARY KEY,
            at TEXT NOT NULL,
            settings TEXT NOT NULL
        ) STRICT;
INSERT INTO "policies" VALUES('8863619381653412','2026-11-24T17:00:00.000000+00:00','{"phones":{"101":{"name":"A"},"102":{"name":"B"},"103":{"name":"C"}},"trunks":{"carrier":{"host":"127.0.0.1","match":["127.0.0.1/32"]}},"version":1,"data":"var","brokerage":{"name":"Harbor Realty","phone":"+13055550199","country":"US","time_zone":"America/New_York"},"offices":{"miami":{"name":"Miami","hours":"business"},"keys":{"name":"Key West","hours":"business"}},"hours":{"business":{"week":{"mon-fri":"9:00-18:00"}}},"agents":{"ana":{"name":"Desk A","email":"ana@harbor.example","phone":"101"},"bob":{"name":"Desk B","email":"bob@harbor.example","phone":"102","mobile":"+13055550181"},"cleo":{"name":"Floor","email":"floor@harbor.example","phone":"103"}},"groups":{"front":{"phones":["101","102"],"agents":["ana","bob"]},"floor":{"phones":["103"],"agents":["cleo"]}},"number_defaults":{"office":"miami","group":"front","plan":"standard"},"numbers":{"_1305555010X":{"source":"Main line"},"13055550107":{"source":"Yard sign","listing":"12 Ocean Drive"},"13055550109":{"office":"keys","group":"floor","plan":"brief"}},"blocked":["13055550666"],"plans":{"standard":[{"text":"missed","after_hours":"missed_after_hours"},{"call":true},{"alert":"agent"},{"push":true},{"wait":"10m","unless":["acknowledged"]},{"alert":"floor"},{"wait":"5m","unless":["engaged","reached"]},{"email":"follow_up"},{"push":true}],"brief":[{"text":"missed"},{"push":true}]},"templates":{"texts":{"missed":"{brokerage} (automated): sorry[ {name}] we missed your {time} call[ on {listing}]. Are you buying or selling? STOP to opt out.","missed_after_hours":"{brokerage} (automated): closed now.[ Back {open_time}.] Buying or selling? STOP to opt out."},"emails":{"follow_up":{"subject":"Your call to {brokerage}","body":"We missed your call at {time}. {phone}"}}},"callback":{"trunk":"carrier","to":["_1NXXNXXXXXX"]},"gateways":{"sms":{"type":"smpp","host":"127.0.0.1","port":2775,"system_id":"ringback","password":{"env":"RINGBACK_TEST_SMPP"}}},"text_routes":[{"to":"_1NXXNXXXXXX","via":"sms"}],"quiet_hours":{"contact":"8:00-21:00","texts":"hold"},"limits":{"per_hour":1000000,"alike_per_hour":1000000},"email":{"host":"127.0.0.1","port":2525,"security":"none","sender":"ringback@harbor.example"},"crm":{"file":{"type":"jsonl","file":"leads.jsonl"}}}');
CREATE TABLE text_parts (
            n INTEGER PRIMARY KEY,
            gateway TEXT NOT NULL,
            key TEXT NOT NULL,
            body TEXT NOT NULL,
            UNIQUE (gateway, key)
        ) STRICT;
CREATE TABLE text_windows (
            number TEXT NOT NULL,
            office TEXT NOT NULL,
            until TEXT NOT NULL,
            outbox_id TEXT NOT NULL,
            PRIMARY KEY (number, office)
        ) STRICT, WITHOUT ROWID;
INSERT INTO "text_windows" VALUES('+13055550142','miami','2026-11-25T17:00:00.000000+00:00','1.0');
INSERT INTO "text_windows" VALUES('+13055550144','miami','2026-11-25T17:01:00.000000+00:00','6.0');
CREATE TABLE timers (
            id INTEGER PRIMARY KEY,
            lead_id INTEGER NOT NULL REFERENCES leads (id),
            kind TEXT NOT NULL,
            due_at TEXT NOT NULL,
            status TEXT NOT NULL CHECK (status IN ('pending', 'fired', 'disarmed'))
        ) STRICT;
INSERT INTO "timers" VALUES(1,1,'text_wait','2026-11-24T17:00:10.000000+00:00','disarmed');
INSERT INTO "timers" VALUES(2,1,'wait','2026-11-24T17:10:00.000000+00:00','pending');
INSERT INTO "timers" VALUES(3,2,'text_wait','2026-11-24T17:01:10.000000+00:00','disarmed');
INSERT INTO "timers" VALUES(4,2,'wait','2026-11-24T17:11:00.000000+00:00','pending');
INSERT INTO "timers" VALUES(5,3,'text_wait','2026-11-24T17:01:10.000000+00:00','disarmed');
INSERT INTO "timers" VALUES(6,3,'wait','2026-11-24T17:11:00.000000+00:00','disarmed');
CREATE TABLE turns (
            team TEXT PRIMARY KEY,
            agent TEXT NOT NULL
        ) STRICT, WITHOUT ROWID;
INSERT INTO "turns" VALUES('front','ana');
CREATE UNIQUE INDEX "idx__sqlite_migrations_migration_set_name"
    ON "_sqlite_migrations" ("migration_set", "name");
CREATE INDEX leads_by_number ON leads (number, office, id);
CREATE INDEX leads_open ON leads (id) WHERE stage <> 'idle';
CREATE INDEX events_by_lead ON events (lead_id, seq);
CREATE UNIQUE INDEX timers_one_pending ON timers (lead_id, kind) WHERE status = 'pending';
CREATE INDEX timers_due ON timers (due_at) WHERE status = 'pending';
CREATE INDEX outbox_todo ON outbox (kind, priority, not_before) WHERE status = 'todo';
CREATE INDEX outbox_doing ON outbox (kind, lead_id) WHERE status = 'doing';
CREATE INDEX outbox_by_lead ON outbox (lead_id, kind);
CREATE INDEX outbox_by_number ON outbox (number, kind, created_at) WHERE number IS NOT NULL;
CREATE INDEX outbox_in_doubt ON outbox (kind) WHERE status = 'in_doubt';
CREATE INDEX outbox_log_by_id ON outbox_log (outbox_id);
CREATE INDEX consent_log_by_number ON consent_log (number);
CREATE INDEX message_refs_by_outbox ON message_refs (outbox_id);
COMMIT;
