// Everything the dashboard says, in English and Russian; numbers, plurals and times as each language has them.

const english = {
  overview: "Overview", contacts: "Contacts", leads: "Leads", operators: "Operators", sources: "Sources", api: "API", search: "Search contacts",
  searchHint: "Name, phone, e-mail, id or message", menu: "Sections", skip: "Skip to content", theme: "Light or dark", keys: "Keyboard",
  unreachable: "The server does not answer", answeredWith: "The server answered with {status}",
  offline: "No connection to the server. What you see may be out of date; trying again…", online: "Connected again",
  loading: "Loading…", failed: "That did not work", notThere: "Not there", tryAgain: "Try again", noSuchPage: "There is no such page",
  toStart: "To the start", close: "Close", cancel: "Cancel", save: "Save", discard: "Discard", undo: "Undo", undone: "Undone", ok: "OK",
  more: "Show more", none: "–", edit: "Edit", add: "Add", since: "{age} ago",
  waitingNow: "Waiting now", oldest: "the oldest for {age}", nobodyWaits: "Nobody waits", perMinute: "Contacts per minute",
  lastHour: "in the last hour: {n}", thisMinute: "this minute: {n}", timeToAssign: "Time to assign", median: "the median", mostWithin: "95 % within {time}",
  noAssignments: "nothing assigned in the last hour", capacity: "Load of all", online_n: { one: "{n} operator online", other: "{n} operators online" },
  ofOperators: "of {n}", waitingWhy: "Who waits, and why", count: "Contacts",
  source: "Source", operator: "Operator", lead: "Lead", status: "Status", message: "Message", created: "Received", priority: "Priority",
  attention: "Operators", n_full: { one: "{n} at the limit", other: "{n} at the limit" }, n_off: { one: "{n} inactive", other: "{n} inactive" }, happening: "Happening now", nothingYet: "Nothing has happened yet.",
  allOperators: { one: "{n} operator", other: "All {n} operators" },
  startTitle: "Nothing here yet", startText: "Three steps: add operators, add a source and give the operators weights there, then send contacts to the API.",
  addOperator: "Add operator", addSource: "Add source", howToSend: "How to send contacts",
  atLimit: "at the limit", inactive: "inactive", active: "active", today: "Today", load: "Load", limit: "Limit", name: "Name",
  loadOf: "{load} of {limit}", over: "over the limit", onlyActive: "Active only", filterByName: "Filter by name",
  noOperators: "No operators yet", noOperatorsText: "Operators are the people who get the contacts. Add the first one.",
  noMatch: "Nothing matches", clearFilters: "Clear filters",
  deactivated: "{name} gets no new contacts", activated: "{name} gets contacts again", limitSet: "Limit of {name}: {limit}",
  requeue: "Deactivate and pass contacts on", requeueAsk: "Deactivate {name} and give the open contacts to others?",
  requeueText: "Open contacts that go back to the queue, and on to whoever has room: {n}.", requeued: "{name} is inactive, the contacts were passed on",
  archive: "Archive", archiveAsk: "Archive {name}?", archiveText: "The operator leaves all lists and sources. Open contacts that go back to the queue: {n}. This cannot be undone.",
  archived: "{name} was archived", bySource: "By source", renamed: "Renamed",
  n_contacts: { one: "{n} contact", other: "{n} contacts" },
  noSources: "No sources yet", noSourcesText: "A source is where contacts come from: a bot, a form, a messenger. Add the first one.",
  strategy: "Strategy", sticky: "Returning leads", stickyHint: "days in which a returning lead goes to its last operator, if there is room; 0 for never",
  days: { one: "{n} day", other: "{n} days" }, never: "never", description: "Description",
  weighted_random: "By chance, by weight", weighted_capacity: "By chance, by weight × free places", smooth_weighted: "In turn, by weight",
  round_robin: "In turn", least_loaded: "Who carries least", most_free: "Who is freest",
  about_weighted_random: "Each contact is drawn: twice the weight is twice the chance.",
  about_weighted_capacity: "Drawn as well, but whoever has more free places has the better chance.",
  about_smooth_weighted: "No chance: operators alternate so that shares match the weights at any time.",
  about_round_robin: "Everybody gets one after the other; weights do not count.",
  about_least_loaded: "The operator with the fewest open contacts gets the next one.",
  about_most_free: "The operator with the largest share of free places gets the next one.",
  weights: "Weights and shares", weight: "Weight", target: "Target", actual: "Actual", band: "95 % band", contactsGiven: "Contacts",
  bandText: "Dashed: the target. Thick: the actual share. The band is where it lies by chance 95 times in 100; outside of it there usually is a cause, such as a full operator.",
  inBand: "within the band", noBandText: "Weights alone do not decide by this strategy, so there is no band to expect shares in.", weightsElsewhere: "Somebody else has changed the weights meanwhile; look at them and save again.", applyStrategy: "Use this strategy", aboveBand: "above the band", belowBand: "below the band",
  shareRow: "{name}: target {target}, actual {actual}, {verdict}", day: "24 hours", week: "7 days", month: "30 days", period: "Period",
  unsaved: "Not saved yet", weightsSaved: "Weights saved", noWeights: "Nobody serves this source: contacts wait until somebody has a weight.",
  addToSource: "Add an operator", remove: "Remove", removeX: "Remove {name}", weightOf: "Weight of {name}", weightFault: "Whole numbers from 1 to 1,000,000",
  limitFault: "A whole number from 1 to 1,000,000", settings: "Settings", createdX: "{name} was added",
  leave: "Leave without saving?", leaveText: "The weights you changed are not saved.", leaveNow: "Leave",
  new: "waiting", closed: "closed", anyStatus: "Any status", open: "open", anySource: "Any source", anyOperator: "Any operator",
  status_new: "Waiting", status_active: "In work", status_closed: "Closed", from: "From", to: "Until", newest: "Newest first", oldestFirst: "Oldest first",
  noContacts: "No contacts yet", noContactsText: "They appear here the moment a source sends the first one.",
  newContacts: { one: "{n} new contact", other: "{n} new contacts" }, select: "Select", selectX: "Select contact {id}", selectAll: "Select all shown", refusedAtLimit: "The operator is at the limit: raise it, or choose to do it all the same.", refusedInactive: "The operator is inactive: activate, or choose to do it all the same.", toList: "Back to the list", nameFault: "A name has 1 to 200 characters", manyNewContacts: "{n} new contacts or more",
  selected: { one: "{n} selected", other: "{n} selected" }, contact: "Contact {id}", nobody: "nobody", unnamed: "no name",
  closeContact: "Close", reopen: "Reopen", assign: "Assign", transfer: "Transfer", release: "Give back", setPriority: "Priority",
  closedX: "Contact {id} closed", reopenedFor: "Contact {id} reopened: {name}", assignedX: "Contact {id} → {name}", releasedX: "Contact {id} back in the queue",
  prioritySet: "Contact {id}: priority {priority}", waitsAgain: "waits", assignTo: "Who is to have contact {id}?", transferTo: "Who is to have contact {id} from now on?",
  assignMany: { one: "Who is to have {n} contact?", other: "Who is to have {n} contacts?" }, reasonField: "Why (for the history)",
  force: "Even though at the limit or inactive", bulkAsk: { one: "{action}: {n} contact?", other: "{action}: {n} contacts?" },
  bulkDone: { one: "{n} contact changed", other: "{n} contacts changed" }, bulkFailed: { one: "{n} could not be changed", other: "{n} could not be changed" },
  why: "Why it is where it is", candidates: "Who was considered", history: "History", excluded: "could not", drawn: "chosen",
  chance: "{n} chance",
  externalID: "External id", phone: "Phone", email: "E-mail", sourceEvent: "Event of the source",
  closedAt: "Closed", assignedAt: "Assigned", waitingBecause: "Waits because {reason}",
  reason_no_operators: "nobody serves the source", reason_all_inactive: "all operators are inactive", reason_all_at_limit: "all are at the limit",
  reason_excluded: "those with room gave it back", reason_behind_queue: "others wait before it", reason_operator_inactive: "the operator was deactivated", reason_operator_archived: "the operator was archived",
  event_registered: "Received", event_registered_to: "Received → {to}", event_assigned: "Assigned → {to}", event_transferred: "{from} → {to}",
  event_released: "Given back, {from} had it", event_closed: "Closed, {from} had it", event_closed_plain: "Closed", event_reopened: "Reopened", event_reopened_to: "Reopened → {to}",
  event_priority_changed: "Priority changed", event_message_changed: "Message changed", event_operator_changed: "Changed operator {to}", event_operator_archived: "Archived operator {from}",
  event_operator_created: "Added operator {to}", event_source_created: "Added source {source}", event_source_changed: "Changed source {source}",
  event_weights_changed: "Changed the weights of {source}", event_lead_changed: "Changed lead {lead}", event_lead_merged: "Merged lead {lead} into {other}", event_lead_erased: "Erased lead {lead}",
  event_person_invited: "Invited {person}", event_person_changed: "Changed {person}", event_person_reset: "Made a new link for {person}", event_person_signed_up: "{person} can sign in",
  event_session_started: "Signed in", event_session_ended: "Ended a session of {person}",
  event_key_created: "Made the key {key}", event_key_rotated: "Gave the key {key} a new secret", event_key_revoked: "Revoked the key {key}",
  did_registered: "{who} registered it", did_registered_to: "{who} registered it → {to}", did_assigned: "{who} gave it to {to}", did_transferred: "{who} passed it on: {from} → {to}",
  did_released: "{who} took it back from {from}", did_released_own: "{who} gave it back", did_closed: "{who} closed it", did_reopened: "{who} reopened it",
  did_reopened_to: "{who} reopened it → {to}", did_priority_changed: "{who} made its priority {priority}", did_message_changed: "{who} changed its message",
  did_operator_created: "{who} added operator {to}", did_operator_changed: "{who} changed operator {to}", did_operator_archived: "{who} archived operator {from}",
  did_source_created: "{who} added source {source}", did_source_changed: "{who} changed source {source}", did_weights_changed: "{who} changed the weights of {source}",
  did_lead_changed: "{who} changed lead {lead}", did_lead_merged: "{who} merged lead {lead} into {other}", did_lead_erased: "{who} erased lead {lead}",
  who_person: "person {id}", who_key: "key {name}", who_api: "somebody (access was open)", who_command: "leads-crm on the server", who_system: "the product itself",
  operatorN: "operator {id}", sourceN: "source {id}",
  searchLeads: "Name, phone, e-mail or external id", noLeads: "No leads yet", noLeadsText: "A lead is a person who asks. The first contact makes the first lead.",
  duplicates: "Possible duplicates", noDuplicates: "No possible duplicates", noDuplicatesText: "Leads that share a phone, an e-mail or an external id appear here.",
  sameX: "the same {kind}", kind_phone: "phone", kind_email: "e-mail", kind_external_id: "external id", merge: "Merge",
  mergeInto: "Merge into lead {id}", mergeAsk: "Merge lead {from} into lead {into}?",
  mergeText: "All contacts and identities of “{fromName}” go to “{intoName}”; the old number still finds it. This cannot be undone.",
  merged: "Merged into lead {id}", lastContact: "Last contact", contactCount: "Contacts", identities: "Identities", leadSaved: "Lead saved",
  shortcuts: "Keyboard shortcuts", key_search: "search", key_rows: "from row to row", key_enter: "open", key_escape: "close, leave the field",
  key_help: "this list", language: "Language", sortedBy: "Order", more_n: "and {n} more",
  sourceChanged: "Source saved", notANumber: "A whole number is needed", actions: "Actions",
  notAllowed: "This is not for you", forbidden: "Your role does not permit this; an admin can give you another one", notForRole: "That page is not for your role",
  signedOut: "You are signed out: sign in, then try again", signedOutHere: "You are signed out. What you typed is still here.", signIn: "Sign in", signingIn: "Sign in", signOut: "Sign out",
  login: "Login", loginHint: "what one signs in with, for example an e-mail address", password: "Password", goOn: "Go on",
  signInFailed: "There is nobody with this login and password", tooManyAttempts: "Too many attempts to sign in. Try again in", forgotten: "No password, or forgotten it? An admin can send you a link.",
  signInAtProvider: "Sign in with the company's account", or: "or",
  refused_forbidden: "Your company's account is good, but nobody has invited you here. Ask an admin to.",
  refused_sign_in_failed: "Signing in with the company's account did not succeed. Try again.",
  refused_provider_unavailable: "The company's sign-in service does not answer as it should. Try again later.",
  openTitle: "Nobody has to sign in", openText: "Access to this server is open: whoever reaches it can do everything.",
  welcome: "Welcome, {name}", welcomeText: "Choose the password with which you will sign in from now on.", choosePassword: "Set password and sign in",
  newPassword: "New password", repeatPassword: "The same again", passwordRule: "At least 10 characters. Not your name or login, and no row of keys.",
  passwordShort: "A password has at least 10 characters", passwordLong: "A password has at most 200 characters", passwordsDiffer: "The two are not the same",
  passwordNames: "A password must not be made of your login or name", passwordRow: "A password must not be one character or one row of keys again and again",
  passwordGuessable: "This password is one of those that are tried first: choose another one",
  linkInvalid: "This link is of no use any more", linkInvalidText: "It has been used, has expired after 24 hours or was never good. An admin can send you another one.",
  mySessions: "My sessions", mySessionsText: "The browsers in which you are signed in. One that is not used for 12 hours is signed out by itself.", changePassword: "Change password",
  changePasswordText: "You stay signed in here; every other browser is signed out.", presentPassword: "Present password", presentPasswordWrong: "The present password is another one", passwordChanged: "Password changed",
  unknownBrowser: "A browser", browserOn: "{browser} on {system}", thisOne: "this one", signedInAt: "signed in", usedAt: "used last", endSession: "Sign out there",
  sessionEnded: "Signed out there", endOthers: "Sign out everywhere else", endOthersAsk: "Sign out everywhere else?", endOthersText: "Only this browser stays signed in.", othersEnded: "Signed out",
  openToAll: "Anybody who reaches this server can change everything.", protect: "Protect it now", protectTitle: "Protect this server", protectNow: "Protect it",
  protectText: "You become its admin and choose a password next. From then on nobody gets in without signing in, and no program without a key.",
  protectLost: "Should you not get that far: leads-crm people reset, on the server, makes another link.", yourName: "Your name",
  keptOpen: "LEADS_ACCESS=open keeps it so; whoever runs it can start it with LEADS_ACCESS=auto.",
  protectFirst: "First protect this server", protectFirstText: "The first person and the first key close it for everybody who is not signed in. Begin with yourself, so that you still get in.",
  access: "Access", people: "People", keysTitle: "Keys", audit: "Audit", sessions: "Sessions", role: "Role", state: "State", invited: "Invited", lastChanged: "Changed",
  role_intake: "intake", role_operator: "operator", role_analyst: "analyst", role_supervisor: "supervisor", role_admin: "admin",
  about_role_operator: "Works on the contacts of one operator, and sees no others.", about_role_analyst: "Sees everything with personal data masked, changes nothing.",
  about_role_supervisor: "Does everything with contacts, leads, operators and sources.", about_role_admin: "Does everything, people and keys included.",
  about_key_intake: "Registers contacts, and sees those it registered: for bots and forms.", about_key_analyst: "Reads everything with personal data masked: for reports.",
  about_key_supervisor: "Does everything with contacts, leads, operators and sources.", about_key_admin: "Does everything, people and keys included.",
  person_active: "active", person_invited: "invited", person_disabled: "disabled", disabled: "Disabled", noPeople: "Nobody signs in here yet", noPeopleText: "Invite the people you work with: each gets a link with which to choose a password.",
  invite: "Invite", inviteTitle: "Invite somebody", operatorHint: "whom of the operators the person is; the role of operator needs it", personSaved: "Saved",
  linkFor: "A link for {name}", linkText: "Send it to nobody else. It is good for one use until {time} and is not shown again.", link: "Link", done: "Done", copy: "Copy", copied: "Copied",
  newPasswordLink: "Link for a new password", newInvitation: "New invitation", linkAsk: "Make a link for {name}?", linkAskText: "Whoever has it chooses the password anew and is signed out everywhere else. Earlier links end.", makeLink: "Make a link",
  disable: "Disable", enable: "Enable", disableAsk: "Disable {name}?", disableText: "Signed out everywhere at once, and cannot sign in until enabled again. What was done stays in the histories.",
  disabledX: "{name} cannot sign in any more", enabledX: "{name} can sign in again", endAll: "Sign out everywhere", endAllAsk: "Sign out {name} everywhere?", noSessions: "Signed in nowhere.", whatTheyDid: "What this person did",
  makeKey: "Make a key", makeKeyTitle: "Make a key", made: "Made", rotatedAt: "new secret", revoked: "revoked", showRevoked: "Revoked ones, too", noKeys: "No keys yet",
  noKeysText: "A program sends a key with each request: a bot, a form, a report. Make one for each, so that each can be revoked alone.", keyNameHint: "what it is for: Telegram bot",
  allSources: "all sources", someSources: "only some", noSourceChosen: "Choose a source", rate: "Requests a second", rateHint: "beyond that it is answered 429; empty for no limit", rateFault: "A whole number from 1 to 100,000",
  noLimit: "no limit", perSecond: "{n} a second", secretOf: "The key {name}", secretText: "It is shown now and never again: keep it where the program finds it.", secretKept: "I have kept it", secret: "Key",
  tryRegistering: "Try it: register a contact", tryListing: "Try it: list contacts", rotate: "New secret", rotateAsk: "A new secret for {name}?", rotateText: "The program needs the new one before the present one ends.",
  grace: "The present secret goes on for", grace_now: "it ends at once", grace_hour: "an hour", grace_day: "a day", grace_week: "a week", graceFor: "the former secret goes on for {time}",
  revoke: "Revoke", revokeAsk: "Revoke the key {name}?", revokeText: "Programs that use it are refused within two seconds. This cannot be undone.", revokedX: "The key {name} is revoked",
  when: "When", who: "Who", what: "What", anythingDone: "Everything", anybody: "Anybody", others: "Others", yes: "yes", no: "no", anotherX: "{field}: another one",
};

const russian = {
  overview: "Обзор", contacts: "Обращения", leads: "Лиды", operators: "Операторы", sources: "Источники", api: "API", search: "Поиск обращений",
  searchHint: "Имя, телефон, почта, id или текст", menu: "Разделы", skip: "К содержимому", theme: "Светлая или тёмная тема", keys: "Клавиатура",
  unreachable: "Сервер не отвечает", answeredWith: "Сервер ответил: {status}",
  offline: "Нет связи с сервером. Данные могли устареть; пробуем снова…", online: "Связь восстановлена",
  loading: "Загрузка…", failed: "Не получилось", notThere: "Не найдено", tryAgain: "Ещё раз", noSuchPage: "Такой страницы нет",
  toStart: "К началу", close: "Закрыть", cancel: "Отмена", save: "Сохранить", discard: "Отменить правки", undo: "Отменить", undone: "Отменено", ok: "ОК",
  more: "Показать ещё", none: "–", edit: "Изменить", add: "Добавить", since: "{age} назад",
  waitingNow: "Ждут сейчас", oldest: "дольше всех — {age}", nobodyWaits: "Никто не ждёт", perMinute: "Обращений в минуту",
  lastHour: "за последний час: {n}", thisMinute: "в эту минуту: {n}", timeToAssign: "Время до назначения", median: "медиана", mostWithin: "95 % — до {time}",
  noAssignments: "за час назначений не было", capacity: "Общая нагрузка", online_n: { one: "{n} оператор на линии", few: "{n} оператора на линии", many: "{n} операторов на линии", other: "{n} оператора на линии" },
  ofOperators: "из {n}", waitingWhy: "Кто ждёт и почему", count: "Обращений",
  source: "Источник", operator: "Оператор", lead: "Лид", status: "Статус", message: "Сообщение", created: "Поступило", priority: "Приоритет",
  attention: "Операторы", n_full: { one: "лимит исчерпан у {n}", other: "лимит исчерпан у {n}" }, n_off: { one: "не активен {n}", other: "не активны {n}" }, happening: "Происходит сейчас", nothingYet: "Пока ничего не произошло.",
  allOperators: { one: "{n} оператор", few: "Все {n} оператора", many: "Все {n} операторов", other: "Все {n} оператора" },
  startTitle: "Пока пусто", startText: "Три шага: добавьте операторов, добавьте источник и дайте операторам веса, затем присылайте обращения через API.",
  addOperator: "Добавить оператора", addSource: "Добавить источник", howToSend: "Как присылать обращения",
  atLimit: "лимит исчерпан", inactive: "не активен", active: "активен", today: "Сегодня", load: "Нагрузка", limit: "Лимит", name: "Имя",
  loadOf: "{load} из {limit}", over: "сверх лимита", onlyActive: "Только активные", filterByName: "Отбор по имени",
  noOperators: "Операторов пока нет", noOperatorsText: "Операторы — люди, которым достаются обращения. Добавьте первого.",
  noMatch: "Ничего не найдено", clearFilters: "Сбросить отбор",
  deactivated: "{name} больше не получает обращений", activated: "{name} снова получает обращения", limitSet: "{name}: лимит {limit}",
  requeue: "Выключить и раздать обращения", requeueAsk: "Выключить оператора {name} и раздать открытые обращения?",
  requeueText: "Открытых обращений вернётся в очередь и к тем, у кого есть место: {n}.", requeued: "{name}: выключен, обращения розданы",
  archive: "В архив", archiveAsk: "Отправить в архив: {name}?", archiveText: "Оператор исчезнет из списков и источников. Открытых обращений вернётся в очередь: {n}. Отменить это нельзя.",
  archived: "{name}: в архиве", bySource: "По источникам", renamed: "Переименовано",
  n_contacts: { one: "{n} обращение", few: "{n} обращения", many: "{n} обращений", other: "{n} обращения" },
  noSources: "Источников пока нет", noSourcesText: "Источник — откуда приходят обращения: бот, форма, мессенджер. Добавьте первый.",
  strategy: "Стратегия", sticky: "Возвращение лида", stickyHint: "дней, в течение которых лид возвращается к своему последнему оператору, если есть место; 0 — никогда",
  days: { one: "{n} день", few: "{n} дня", many: "{n} дней", other: "{n} дня" }, never: "никогда", description: "Описание",
  weighted_random: "Случайно, по весу", weighted_capacity: "Случайно, вес × свободные места", smooth_weighted: "По очереди, с весами",
  round_robin: "По очереди", least_loaded: "Наименее загруженному", most_free: "Самому свободному",
  about_weighted_random: "Каждое обращение разыгрывается: вдвое больший вес — вдвое больше шансов.",
  about_weighted_capacity: "Тоже розыгрыш, но у кого больше свободных мест, у того больше шансов.",
  about_smooth_weighted: "Без случайности: операторы чередуются так, что доли в любой момент отвечают весам.",
  about_round_robin: "Каждому по одному, по кругу; веса не учитываются.",
  about_least_loaded: "Следующее обращение получает тот, у кого меньше всего открытых.",
  about_most_free: "Следующее обращение получает тот, у кого свободна наибольшая доля мест.",
  weights: "Веса и доли", weight: "Вес", target: "Цель", actual: "Факт", band: "Коридор 95 %", contactsGiven: "Обращений",
  bandText: "Пунктир — цель, толстая черта — факт. В коридоре доля случайно оказывается 95 раз из 100; вне его обычно есть причина, например исчерпанный лимит.",
  inBand: "в коридоре", noBandText: "При этой стратегии решают не одни веса, поэтому коридора для долей нет.", weightsElsewhere: "Тем временем веса изменил кто-то другой; посмотрите и сохраните ещё раз.", applyStrategy: "Применить стратегию", aboveBand: "выше коридора", belowBand: "ниже коридора",
  shareRow: "{name}: цель {target}, факт {actual}, {verdict}", day: "24 часа", week: "7 дней", month: "30 дней", period: "Период",
  unsaved: "Не сохранено", weightsSaved: "Веса сохранены", noWeights: "Источник никто не обслуживает: обращения ждут, пока кому-нибудь не дадут вес.",
  addToSource: "Добавить оператора", remove: "Убрать", removeX: "Убрать: {name}", weightOf: "Вес: {name}", weightFault: "Целое число от 1 до 1 000 000",
  limitFault: "Целое число от 1 до 1 000 000", settings: "Настройки", createdX: "Добавлено: {name}",
  leave: "Уйти без сохранения?", leaveText: "Изменённые веса не сохранены.", leaveNow: "Уйти",
  new: "ждёт", closed: "закрыто", anyStatus: "Любой статус", open: "открыто", anySource: "Любой источник", anyOperator: "Любой оператор",
  status_new: "Ждёт", status_active: "В работе", status_closed: "Закрыто", from: "С", to: "По", newest: "Сначала новые", oldestFirst: "Сначала старые",
  noContacts: "Обращений пока нет", noContactsText: "Они появятся здесь, как только источник пришлёт первое.",
  newContacts: { one: "{n} новое обращение", few: "{n} новых обращения", many: "{n} новых обращений", other: "{n} нового обращения" },
  select: "Выбрать", selectX: "Выбрать обращение {id}", selectAll: "Выбрать все показанные", refusedAtLimit: "У оператора исчерпан лимит: повысьте его или отметьте, что это не важно.", refusedInactive: "Оператор не активен: включите его или отметьте, что это не важно.", toList: "К списку", nameFault: "В имени от 1 до 200 символов", manyNewContacts: "{n} новых обращений или больше",
  selected: { one: "выбрано {n}", few: "выбрано {n}", many: "выбрано {n}", other: "выбрано {n}" }, contact: "Обращение {id}", nobody: "никто", unnamed: "без имени",
  closeContact: "Закрыть", reopen: "Открыть снова", assign: "Назначить", transfer: "Передать", release: "Вернуть в очередь", setPriority: "Приоритет",
  closedX: "Обращение {id} закрыто", reopenedFor: "Обращение {id} снова открыто: {name}", assignedX: "Обращение {id} → {name}", releasedX: "Обращение {id} снова в очереди",
  prioritySet: "Обращение {id}: приоритет {priority}", waitsAgain: "ждёт", assignTo: "Кому отдать обращение {id}?", transferTo: "Кому передать обращение {id}?",
  assignMany: { one: "Кому отдать {n} обращение?", few: "Кому отдать {n} обращения?", many: "Кому отдать {n} обращений?", other: "Кому отдать {n} обращения?" }, reasonField: "Почему (для истории)",
  force: "Даже если лимит исчерпан или оператор не активен",
  bulkAsk: { one: "{action}: {n} обращение?", few: "{action}: {n} обращения?", many: "{action}: {n} обращений?", other: "{action}: {n} обращения?" },
  bulkDone: { one: "Изменено {n} обращение", few: "Изменено {n} обращения", many: "Изменено {n} обращений", other: "Изменено {n} обращения" },
  bulkFailed: { one: "Не удалось: {n}", few: "Не удалось: {n}", many: "Не удалось: {n}", other: "Не удалось: {n}" },
  why: "Почему так распределено", candidates: "Кого рассматривали", history: "История", excluded: "не мог", drawn: "выбран",
  chance: "шанс {n}",
  externalID: "Внешний id", phone: "Телефон", email: "Почта", sourceEvent: "Событие источника",
  closedAt: "Закрыто", assignedAt: "Назначено", waitingBecause: "Ждёт: {reason}",
  reason_no_operators: "источник никто не обслуживает", reason_all_inactive: "все операторы не активны", reason_all_at_limit: "у всех исчерпан лимит",
  reason_excluded: "у кого есть место, те его вернули", reason_behind_queue: "перед ним ждут другие", reason_operator_inactive: "оператор выключен", reason_operator_archived: "оператор в архиве",
  event_registered: "Поступило", event_registered_to: "Поступило → {to}", event_assigned: "Назначено → {to}", event_transferred: "{from} → {to}",
  event_released: "Возвращено в очередь, было у {from}", event_closed: "Закрыто, было у {from}", event_closed_plain: "Закрыто", event_reopened: "Открыто снова", event_reopened_to: "Открыто снова → {to}",
  event_priority_changed: "Изменён приоритет", event_message_changed: "Изменено сообщение", event_operator_changed: "Изменён оператор: {to}", event_operator_archived: "В архиве: {from}",
  event_operator_created: "Добавлен оператор: {to}", event_source_created: "Добавлен источник: {source}", event_source_changed: "Изменён источник: {source}",
  event_weights_changed: "Изменены веса: {source}", event_lead_changed: "Изменён лид {lead}", event_lead_merged: "Лид {lead} объединён с лидом {other}", event_lead_erased: "Удалён лид {lead}",
  event_person_invited: "Приглашение: {person}", event_person_changed: "Изменён сотрудник: {person}", event_person_reset: "Новая ссылка: {person}", event_person_signed_up: "Может войти: {person}",
  event_session_started: "Вход", event_session_ended: "Завершён сеанс: {person}",
  event_key_created: "Создан ключ: {key}", event_key_rotated: "Новый секрет ключа: {key}", event_key_revoked: "Отозван ключ: {key}",
  did_registered: "{who}: поступило", did_registered_to: "{who}: поступило → {to}", did_assigned: "{who}: назначено → {to}", did_transferred: "{who}: передано, {from} → {to}",
  did_released: "{who}: возвращено в очередь, было у {from}", did_released_own: "{who}: возвращено в очередь", did_closed: "{who}: закрыто", did_reopened: "{who}: открыто снова",
  did_reopened_to: "{who}: открыто снова → {to}", did_priority_changed: "{who}: приоритет теперь {priority}", did_message_changed: "{who}: изменено сообщение",
  did_operator_created: "{who}: добавлен оператор {to}", did_operator_changed: "{who}: изменён оператор {to}", did_operator_archived: "{who}: в архиве {from}",
  did_source_created: "{who}: добавлен источник {source}", did_source_changed: "{who}: изменён источник {source}", did_weights_changed: "{who}: изменены веса, {source}",
  did_lead_changed: "{who}: изменён лид {lead}", did_lead_merged: "{who}: лид {lead} объединён с лидом {other}", did_lead_erased: "{who}: удалён лид {lead}",
  who_person: "сотрудник {id}", who_key: "ключ {name}", who_api: "кто-то (доступ был открыт)", who_command: "leads-crm на сервере", who_system: "сама программа",
  operatorN: "оператор {id}", sourceN: "источник {id}",
  searchLeads: "Имя, телефон, почта или внешний id", noLeads: "Лидов пока нет", noLeadsText: "Лид — человек, который обратился. Первое обращение создаст первого лида.",
  duplicates: "Возможные дубликаты", noDuplicates: "Возможных дубликатов нет", noDuplicatesText: "Здесь появятся лиды с одинаковым телефоном, почтой или внешним id.",
  sameX: "совпадает: {kind}", kind_phone: "телефон", kind_email: "почта", kind_external_id: "внешний id", merge: "Объединить",
  mergeInto: "Объединить с лидом {id}", mergeAsk: "Объединить лида {from} с лидом {into}?",
  mergeText: "Все обращения и контакты «{fromName}» перейдут к «{intoName}»; старый номер тоже будет находить его. Отменить это нельзя.",
  merged: "Объединено с лидом {id}", lastContact: "Последнее обращение", contactCount: "Обращений", identities: "Как узнаём", leadSaved: "Лид сохранён",
  shortcuts: "Клавиши", key_search: "поиск", key_rows: "по строкам", key_enter: "открыть", key_escape: "закрыть, выйти из поля",
  key_help: "этот список", language: "Язык", sortedBy: "Порядок", more_n: "и ещё {n}",
  sourceChanged: "Источник сохранён", notANumber: "Нужно целое число", actions: "Действия",
  notAllowed: "Это не для вас", forbidden: "Ваша роль этого не разрешает; другую может дать администратор", notForRole: "Эта страница не для вашей роли",
  signedOut: "Вы вышли: войдите и повторите", signedOutHere: "Вы вышли. Введённое сохранилось на этой странице.", signIn: "Войти", signingIn: "Вход", signOut: "Выйти",
  login: "Логин", loginHint: "с ним входят; например, адрес почты", password: "Пароль", goOn: "Продолжить",
  signInFailed: "Нет никого с таким логином и паролем", tooManyAttempts: "Слишком много попыток входа. Повторите через", forgotten: "Нет пароля или он забыт? Ссылку пришлёт администратор.",
  signInAtProvider: "Войти с учётной записью компании", or: "или",
  refused_forbidden: "Учётная запись компании верна, но вас сюда не приглашали. Попросите администратора.",
  refused_sign_in_failed: "Войти с учётной записью компании не удалось. Попробуйте ещё раз.",
  refused_provider_unavailable: "Служба входа компании не отвечает как следует. Попробуйте позже.",
  openTitle: "Входить не нужно", openText: "Доступ к этому серверу открыт: любой, кто до него доберётся, может всё.",
  welcome: "Здравствуйте, {name}", welcomeText: "Выберите пароль, с которым будете входить.", choosePassword: "Задать пароль и войти",
  newPassword: "Новый пароль", repeatPassword: "Ещё раз", passwordRule: "Не короче 10 символов. Не имя, не логин и не ряд клавиш.",
  passwordShort: "В пароле не меньше 10 символов", passwordLong: "В пароле не больше 200 символов", passwordsDiffer: "Пароли не совпадают",
  passwordNames: "Пароль не должен состоять из логина или имени", passwordRow: "Пароль не должен быть одним символом или рядом клавиш",
  passwordGuessable: "Этот пароль — из тех, что подбирают первыми: выберите другой",
  linkInvalid: "Ссылка больше не действует", linkInvalidText: "Она уже использована, истекла через 24 часа или неверна. Другую пришлёт администратор.",
  mySessions: "Мои сеансы", mySessionsText: "Браузеры, в которых вы вошли. Если 12 часов не пользоваться, выход произойдёт сам.", changePassword: "Сменить пароль",
  changePasswordText: "Здесь вы останетесь; во всех других браузерах произойдёт выход.", presentPassword: "Нынешний пароль", presentPasswordWrong: "Нынешний пароль другой", passwordChanged: "Пароль изменён",
  unknownBrowser: "Браузер", browserOn: "{browser}, {system}", thisOne: "этот", signedInAt: "вход", usedAt: "последний раз", endSession: "Завершить",
  sessionEnded: "Сеанс завершён", endOthers: "Выйти везде, кроме этого", endOthersAsk: "Выйти везде, кроме этого браузера?", endOthersText: "Останется только сеанс в этом браузере.", othersEnded: "Сеансы завершены",
  openToAll: "Любой, кто доберётся до этого сервера, может изменить всё.", protect: "Защитить сейчас", protectTitle: "Защитить этот сервер", protectNow: "Защитить",
  protectText: "Вы станете администратором и затем выберете пароль. С этого момента без входа сюда не попадёт никто, а программы — без ключа.",
  protectLost: "Если до пароля не дойдёт: другую ссылку даст leads-crm people reset на сервере.", yourName: "Ваше имя",
  keptOpen: "Так решено настройкой LEADS_ACCESS=open; кто его запускает, может задать LEADS_ACCESS=auto.",
  protectFirst: "Сначала защитите сервер", protectFirstText: "Первый сотрудник и первый ключ закрывают его для всех, кто не вошёл. Начните с себя, чтобы не остаться снаружи.",
  access: "Доступ", people: "Сотрудники", keysTitle: "Ключи", audit: "Журнал", sessions: "Сеансы", role: "Роль", state: "Состояние", invited: "Приглашение", lastChanged: "Изменение",
  role_intake: "приём", role_operator: "оператор", role_analyst: "аналитик", role_supervisor: "руководитель", role_admin: "администратор",
  about_role_operator: "Работает с обращениями одного оператора, других не видит.", about_role_analyst: "Видит всё, личные данные скрыты; ничего не меняет.",
  about_role_supervisor: "Делает всё с обращениями, лидами, операторами и источниками.", about_role_admin: "Делает всё, в том числе с сотрудниками и ключами.",
  about_key_intake: "Присылает обращения и видит присланные им: для ботов и форм.", about_key_analyst: "Читает всё, личные данные скрыты: для отчётов.",
  about_key_supervisor: "Делает всё с обращениями, лидами, операторами и источниками.", about_key_admin: "Делает всё, в том числе с сотрудниками и ключами.",
  person_active: "работает", person_invited: "ждём", person_disabled: "отключён", disabled: "Отключён", noPeople: "Сюда пока никто не входит", noPeopleText: "Пригласите тех, с кем работаете: каждый получит ссылку, чтобы выбрать пароль.",
  invite: "Пригласить", inviteTitle: "Пригласить сотрудника", operatorHint: "кто это из операторов; для роли оператора обязательно", personSaved: "Сохранено",
  linkFor: "Ссылка: {name}", linkText: "Больше никому её не отправляйте. Действует один раз до {time}, второй раз её не показать.", link: "Ссылка", done: "Готово", copy: "Скопировать", copied: "Скопировано",
  newPasswordLink: "Ссылка для нового пароля", newInvitation: "Новое приглашение", linkAsk: "Создать ссылку: {name}?", linkAskText: "По ней выбирают новый пароль, после чего во всех других местах произойдёт выход. Прежние ссылки перестанут действовать.", makeLink: "Создать ссылку",
  disable: "Отключить", enable: "Включить", disableAsk: "Отключить: {name}?", disableText: "Выход произойдёт сразу и везде, войти будет нельзя, пока не включат снова. Сделанное останется в историях.",
  disabledX: "{name}: вход закрыт", enabledX: "{name}: вход снова открыт", endAll: "Завершить все", endAllAsk: "Завершить все сеансы: {name}?", noSessions: "Нигде не выполнен вход.", whatTheyDid: "Что сделал этот сотрудник",
  makeKey: "Создать ключ", makeKeyTitle: "Создать ключ", made: "Создан", rotatedAt: "новый секрет", revoked: "отозван", showRevoked: "Показать отозванные", noKeys: "Ключей пока нет",
  noKeysText: "Программа присылает ключ с каждым запросом: бот, форма, отчёт. Создайте каждой свой, чтобы отозвать можно было один.", keyNameHint: "для чего он: Телеграм-бот",
  allSources: "все источники", someSources: "только некоторые", noSourceChosen: "Выберите источник", rate: "Запросов в секунду", rateHint: "сверх этого ответ 429; пусто — без ограничения", rateFault: "Целое число от 1 до 100 000",
  noLimit: "без ограничения", perSecond: "{n} в секунду", secretOf: "Ключ {name}", secretText: "Он показан сейчас и больше никогда: сохраните его там, где его найдёт программа.", secretKept: "Ключ сохранён", secret: "Ключ",
  tryRegistering: "Проверка: прислать обращение", tryListing: "Проверка: список обращений", rotate: "Новый секрет", rotateAsk: "Новый секрет: {name}?", rotateText: "Программе нужен новый, прежде чем перестанет действовать нынешний.",
  grace: "Нынешний секрет действует ещё", grace_now: "нисколько", grace_hour: "час", grace_day: "день", grace_week: "неделю", graceFor: "прежний секрет действует ещё {time}",
  revoke: "Отозвать", revokeAsk: "Отозвать ключ {name}?", revokeText: "Программам с этим ключом будет отказано через две секунды. Отменить это нельзя.", revokedX: "Ключ {name} отозван",
  when: "Когда", who: "Кто", what: "Что", anythingDone: "Всё", anybody: "Кто угодно", others: "Прочие", yes: "да", no: "нет", anotherX: "{field}: изменено",
};

const dictionaries = { en: english, ru: russian };
let chosen = "en";
let plural, integer, percent, clock, day, moment;

/** `en` or `ru`: chosen here before, or the browser's. */
export function language() {
  return chosen;
}

export function speak(wanted) {
  chosen = wanted in dictionaries ? wanted : "en";
  document.documentElement.lang = chosen;
  // The viewer's own kind of English or Russian, but clocks without a.m. and p.m.: they stand in columns.
  const local = (navigator.languages ?? []).find((each) => each.startsWith(chosen)) ?? chosen;
  const short = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
  plural = new Intl.PluralRules(chosen);
  integer = new Intl.NumberFormat(local);
  percent = new Intl.NumberFormat(local, { style: "percent", maximumFractionDigits: 1 });
  clock = new Intl.DateTimeFormat(local, { ...short, second: "2-digit" });
  day = new Intl.DateTimeFormat(local, { ...short, day: "numeric", month: "short" });
  moment = new Intl.DateTimeFormat(local, { dateStyle: "long", timeStyle: "long", hourCycle: "h23" });
}

/** A text; with `n` in its plural form, and what stands in braces filled in. */
export function t(name, values = {}) {
  let text = dictionaries[chosen][name];
  if (text === undefined) throw new Error(`no text for ${name}`);
  if (typeof text === "object") text = text[plural.select(values.n)] ?? text.other;
  return text.replace(/\{(\w+)\}/g, (_, key) => {
    const value = values[key];
    return typeof value === "number" && key !== "id" && key !== "status" && key !== "from" && key !== "into" ? number(value) : String(value);
  });
}

export function has(name) {
  return name in dictionaries[chosen];
}

export function number(value) {
  return integer.format(value);
}

/** Of a share from 0 to 1. */
export function percentage(share) {
  return percent.format(share);
}

/** A time to read at a glance: today the clock, else the day. In the viewer's zone. */
export function time(text) {
  const date = new Date(text);
  return date.toDateString() === new Date().toDateString() ? clock.format(date) : day.format(date);
}

export function fullTime(text) {
  return moment.format(new Date(text));
}

/** A length of time in its largest unit, or the two largest while they are small. */
export function duration(seconds) {
  const unit = (value, of) =>
    new Intl.NumberFormat(chosen, { style: "unit", unit: of, unitDisplay: "short", maximumFractionDigits: 0 }).format(value);
  if (seconds < 0.001) return `< ${unit(1, "millisecond")}`;
  if (seconds < 1) return unit(Math.round(seconds * 1000), "millisecond");
  if (seconds < 60) return unit(Math.floor(seconds), "second");
  const minutes = Math.floor(seconds / 60);
  if (minutes < 10) return `${unit(minutes, "minute")} ${unit(Math.floor(seconds % 60), "second")}`;
  if (minutes < 60) return unit(minutes, "minute");
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return `${unit(hours, "hour")} ${unit(minutes % 60, "minute")}`;
  return `${unit(Math.floor(hours / 24), "day")} ${unit(hours % 24, "hour")}`;
}

export function age(text) {
  return (Date.now() - new Date(text)) / 1000;
}
