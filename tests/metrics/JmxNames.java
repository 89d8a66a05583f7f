// Prints the metrics of a running Connect worker as its MBeans show them: one line an attribute.
//   java JmxNames.java PID      domain:type=group{tag,tag} attribute kind value
// Tag values are left out, their names sorted, so that two runs compare; the value stands last, to look at.
import com.sun.tools.attach.VirtualMachine;
import java.util.TreeSet;
import java.util.stream.Collectors;
import javax.management.MBeanAttributeInfo;
import javax.management.MBeanServerConnection;
import javax.management.ObjectName;
import javax.management.remote.JMXConnectorFactory;
import javax.management.remote.JMXServiceURL;

public class JmxNames {
    public static void main(String[] arguments) throws Exception {
        VirtualMachine machine = VirtualMachine.attach(arguments[0]);
        String address = machine.startLocalManagementAgent();
        try (var connector = JMXConnectorFactory.connect(new JMXServiceURL(address))) {
            MBeanServerConnection server = connector.getMBeanServerConnection();
            TreeSet<String> lines = new TreeSet<>();
            for (ObjectName name : server.queryNames(new ObjectName("kafka.connect:*"), null)) {
                String tags = name.getKeyPropertyList().keySet().stream().filter(key -> !key.equals("type")).sorted().collect(Collectors.joining(","));
                for (MBeanAttributeInfo attribute : server.getMBeanInfo(name).getAttributes()) {
                    Object value = server.getAttribute(name, attribute.getName());
                    String kind = value instanceof Number ? "number" : "text";
                    lines.add(name.getDomain() + ":type=" + name.getKeyProperty("type") + "{" + tags + "} " + attribute.getName() + " " + kind
                        + (arguments.length > 1 ? " " + name.getKeyPropertyListString() + " " + value : ""));
                }
            }
            lines.forEach(System.out::println);
        } finally {
            machine.detach();
        }
    }
}
