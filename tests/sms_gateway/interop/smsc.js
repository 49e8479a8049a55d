// An SMSC on the npm package "smpp", for one account: ringback / secret.
//
// Texts are answered by their destination's last digit: 1 throttles the first time, 2 is refused, 9 is never answered; 8 is
// accepted once, without a receipt, and not answered again: who asks by query_sm hears that it could not be delivered.
// All others are accepted, and a receipt follows, also where the text asked for none. Accepted texts that begin with
// "echo " come back as a text. A line of JSON is printed for everything that happens.

const smpp = require("smpp");

const ids = { next: 1 };
const throttled = new Set();
const undelivered = new Map();

function say(event, facts) {
  process.stdout.write(JSON.stringify({ event, ...facts }) + "\n");
}

function receipt(session, pdu, id) {
  session.deliver_sm(
    {
      source_addr: pdu.destination_addr,
      source_addr_ton: pdu.dest_addr_ton,
      destination_addr: pdu.source_addr,
      dest_addr_ton: pdu.source_addr_ton,
      esm_class: smpp.ESM_CLASS.MC_DELIVERY_RECEIPT,
      short_message: `id:${id} sub:001 dlvrd:001 submit date:2611231405 done date:261123140601 stat:DELIVRD err:000 text:`,
      receipted_message_id: id,
      message_state: 2,
    },
    (answer) => say("receipt answered", { id, status: answer.command_status }),
  );
}

function submit(session, pdu) {
  const last = pdu.destination_addr.slice(-1);
  say("submit", {
    source: pdu.source_addr,
    destination: pdu.destination_addr,
    text: typeof pdu.short_message.message === "string" ? pdu.short_message.message : "",
    udh: pdu.short_message.udh ? pdu.short_message.udh.map((element) => element.toString("hex")) : [],
    data_coding: pdu.data_coding,
  });
  if (last === "1" && !throttled.has(pdu.destination_addr)) {
    throttled.add(pdu.destination_addr);
    session.send(pdu.response({ command_status: smpp.ESME_RTHROTTLED }));
  } else if (last === "2") {
    session.send(pdu.response({ command_status: smpp.ESME_RINVDSTADR }));
  } else if (last === "8") {
    if (!undelivered.has(pdu.destination_addr)) {
      undelivered.set(pdu.destination_addr, String(ids.next++).padStart(10, "0"));
      session.send(pdu.response({ message_id: undelivered.get(pdu.destination_addr) }));
    }
  } else if (last !== "9") {
    const id = String(ids.next++).padStart(10, "0");
    session.send(pdu.response({ message_id: id }));
    receipt(session, pdu, id);
    if (String(pdu.short_message.message).startsWith("echo ")) {
      session.deliver_sm(
        {
          source_addr: pdu.destination_addr,
          source_addr_ton: pdu.dest_addr_ton,
          destination_addr: pdu.source_addr,
          short_message: pdu.short_message.message.slice(5),
        },
        (answer) => say("text answered", { status: answer.command_status }),
      );
    }
  }
}

function bind(session, pdu) {
  const right = pdu.system_id === "ringback" && pdu.password === "secret";
  say("bind", { system_id: pdu.system_id, right });
  session.send(pdu.response({ system_id: "npm", command_status: right ? 0 : smpp.ESME_RINVPASWD }));
  if (!right) {
    session.close();
  }
}

const server = smpp.createServer((session) => {
  session.on("error", (error) => say("error", { message: String(error) }));
  session.on("bind_transceiver", (pdu) => bind(session, pdu));
  session.on("submit_sm", (pdu) => submit(session, pdu));
  session.on("query_sm", (pdu) => {
    const lost = [...undelivered.values()].includes(pdu.message_id);
    say("query", { id: pdu.message_id, source: pdu.source_addr });
    const state = lost ? { message_state: 5, error_code: 11 } : { message_state: 2, error_code: 0 };
    session.send(pdu.response({ message_id: pdu.message_id, final_date: "", ...state }));
  });
  session.on("enquire_link", (pdu) => session.send(pdu.response()));
  session.on("unbind", (pdu) => {
    say("unbind", {});
    session.send(pdu.response());
    session.close();
  });
});

server.listen(Number(process.argv[2]), "127.0.0.1", () => say("listening", {}));
