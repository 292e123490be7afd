-- Makes the three roles of a production database, and the owner of everything one of them. Harmless to run again, on
-- whatever version of the schema, an empty database among them.
--
--   leads_owner   owns everything; cannot log in, but to the PostgreSQL that leads-crm starts itself
--   leads_app     what instances connect as: rows of the tables listed in roles.sql, nothing else
--   leads_report  what analysts connect as: reads schema report, slowly if need be, never in the way
--
-- Passwords are set by whoever runs the server: alter role leads_app password '…'.
do $$
declare
    object record;
begin
    if not exists (select from pg_roles where rolname = 'leads_owner') then
        create role leads_owner nologin;
    end if;
    if not exists (select from pg_roles where rolname = 'leads_app') then
        create role leads_app login;
    end if;
    if not exists (select from pg_roles where rolname = 'leads_report') then
        create role leads_report login connection limit 10;
    end if;
    execute format('grant leads_owner to %I', current_user);
    -- An owner must be able to create where its objects are.
    execute format('grant create on database %I to leads_owner', current_database());
    grant usage, create on schema public to leads_owner;
    if exists (select from pg_namespace where nspname = 'report') then
        grant usage, create on schema report to leads_owner;
        alter schema report owner to leads_owner;
    end if;

    for object in
        select c.oid::regclass as name, c.relkind
        from pg_class c
        join pg_namespace n on n.oid = c.relnamespace
        where n.nspname in ('public', 'report')
            and c.relkind in ('r', 'v', 'S')
            -- Changing an owner locks a table, also to the same owner: running this again must not stop instances.
            and c.relowner <> 'leads_owner'::regrole
            -- An identity column's sequence follows its table.
            and not exists (
                select from pg_depend d
                where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype in ('i', 'e'))
    loop
        execute format(
            'alter %s %s owner to leads_owner',
            case object.relkind when 'v' then 'view' when 'S' then 'sequence' else 'table' end, object.name);
    end loop;
    for object in
        select p.oid::regprocedure as name
        from pg_proc p
        join pg_namespace n on n.oid = p.pronamespace
        where n.nspname in ('public', 'report')
            and p.proowner <> 'leads_owner'::regrole
            and not exists (select from pg_depend d where d.objid = p.oid and d.deptype = 'e')
    loop
        execute format('alter function %s owner to leads_owner', object.name);
    end loop;
    for object in
        select t.oid::regtype as name
        from pg_type t
        join pg_namespace n on n.oid = t.typnamespace
        where n.nspname = 'public'
            and t.typtype = 'e'
            and t.typowner <> 'leads_owner'::regrole
            and not exists (select from pg_depend d where d.objid = t.oid and d.deptype = 'e')
    loop
        execute format('alter type %s owner to leads_owner', object.name);
    end loop;
end
$$;
